{
  "variables": {
    "sanitize%": "",
    "fuzz%": 0
  },
  "target_defaults": {
    "cflags_cc!": ["-std=gnu++17", "-std=gnu++20", "-fexceptions"],
    "cflags_cc": [
      "-std=c++20", "-fno-exceptions", "-fno-rtti", "-fvisibility=hidden",
      "-Wall", "-Wextra", "-Wshadow", "-Wconversion", "-Wno-missing-field-initializers", "-Werror",
      "-ffunction-sections", "-fdata-sections"
    ],
    "include_dirs": ["native"],
    "conditions": [
      ["sanitize!=''", {
        # -w: instrumented code makes gcc warn of overflows that are none; the plain build is the one without warnings.
        "cflags_cc": ["-fsanitize=<(sanitize)", "-fno-omit-frame-pointer", "-g", "-O1", "-w"],
        "ldflags": ["-fsanitize=<(sanitize)"]
      }]
    ]
  },
  "targets": [
    {
      "target_name": "multus_core",
      "type": "static_library",
      "sources": ["<!@(ls native/core/*.cc)"]
    },
    {
      "target_name": "multus_native",
      "dependencies": [
        "multus_core",
        "<!(node -p \"require('node-addon-api').targets\"):node_addon_api"
      ],
      "defines": [
        "NAPI_VERSION=8",
        "NODE_ADDON_API_DISABLE_DEPRECATED",
        "NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS"
      ],
      "sources": ["<!@(ls native/addon/*.cc)"],
      # The headers of node-addon-api do not pass our warnings; -isystem overrules the -I that its target adds.
      "cflags_cc": ["-isystem<!(node -p \"path.dirname(require.resolve('node-addon-api'))\")"]
    },
    {
      "target_name": "multus",
      "type": "executable",
      "dependencies": ["multus_core"],
      "sources": ["<!@(ls native/shim/*.cc)"],
      "ldflags!": ["-rdynamic"],
      "cflags_cc": ["-Os"],
      "conditions": [
        ["sanitize==''", { "ldflags": ["-static", "-Wl,--gc-sections", "-s"] }]
      ]
    },
    {
      "target_name": "core_test",
      "type": "executable",
      "dependencies": ["multus_core"],
      "ldflags!": ["-rdynamic"],
      "sources": ["<!@(ls native/test/*.cc)"]
    }
  ]
}
