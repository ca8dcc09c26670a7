//! The pages a browser sees, embedded in the binary.
