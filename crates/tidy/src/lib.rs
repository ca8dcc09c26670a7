//! Tests only: direction, purity, file and function size, module docs, forbidden words.
