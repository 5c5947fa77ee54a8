/** Version of this program, as all its parts report it; native/core/version.h has the same for the shim. */
export const VERSION = '0.1.0';
