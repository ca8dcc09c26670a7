//! Chunks on disk: torrentify, the partial file with its journal, the complete file.
