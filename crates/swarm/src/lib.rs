//! The brains of a peer: Download decides what to fetch from whom, Upload decides who is served. Pure.
