#include "volstream.h"
