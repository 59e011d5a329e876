//! development support: builders, broker, registry, checkers
