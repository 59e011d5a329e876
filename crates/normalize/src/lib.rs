//! Source payloads to touchpoints or rejections, one module per format.

pub mod draft;
pub mod format;
pub mod formats;
pub mod shape;
