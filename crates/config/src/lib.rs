//! configuration: commented defaults, validation, option structs
