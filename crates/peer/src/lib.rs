//! The shell round the brains: HTTP in, HTTP out, one driver loop.
