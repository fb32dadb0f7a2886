#pragma once
// No `link` in the module map: Package.swift says that the programs carry the library.
// Keys are bytes; a character is one of them.
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
