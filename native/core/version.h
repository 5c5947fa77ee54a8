// The version that shim, addon and package.json carry.
#pragma once

#define MULTUS_VERSION "0.1.0"
