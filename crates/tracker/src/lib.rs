//! The tracker: HTTP over the registry.
