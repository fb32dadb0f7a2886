#pragma once
// Inline wrappers for what the Glibc module does not show to Swift.
#include <sys/epoll.h>
#include "CLinuxHost.h"
#include "CLinuxProcess.h"
#include "CLinuxEpoll.h"
#include "CLinuxRing.h"
