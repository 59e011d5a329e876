//! Configuration: commented defaults, layers with their origins, validation into small option structs, the topic plan.
//!
//! **What it does.** Holds the reference ([`DEFAULT_TOML`]) and the table of what may be written ([`keys`]), merges
//! defaults, file, environment and flags ([`layers`]), and resolves them to plain option structs ([`options`]) or to
//! every mistake at once ([`error`]). Plans the topics a deployment needs ([`topics`]) and makes a JSON Schema for
//! editors ([`schema`]).
//!
//! **What it does not.** It opens no file, reads no variable, asks no machine: texts and [`Surroundings`] come in as
//! values. It knows no Kafka client; the composition root turns options into settings.
//!
//! **Invariants.** Every key of the table is in `default.toml` with a comment, and the reverse. A [`Config`] exists only if
//! nothing is wrong with it. A secret is never shown, in errors neither.
//!
//! **Where to start.** `default.toml`, then [`RawConfig::resolve`].

mod alerts;
mod checks;
pub mod error;
pub mod identifiers;
pub mod keys;
pub mod kind;
pub mod layers;
pub mod memory;
pub mod model;
pub mod options;
mod resolve;
pub mod routing;
pub mod schema;
mod secrets;
mod sources;
pub mod topics;
pub mod units;
pub mod value;

/// The vocabulary that options are made of.
pub use throughline_model as vocabulary;

pub use error::{ConfigError, ConfigWarning, Origin};
pub use layers::{DEFAULT_TOML, KeyPath, RawConfig, Setting, Settings, VARIABLE_PREFIX};
pub use memory::MemoryNeed;
pub use model::DEFAULT_MODEL_TOML;
pub use options::*;
pub use resolve::{Config, Memory, Surroundings};
pub use value::{Secret, Value};
