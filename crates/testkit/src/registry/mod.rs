//! A schema registry.
