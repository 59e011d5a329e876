//! Source payloads to touchpoints or rejections, one module per format.

pub mod draft;
pub mod format;
pub mod formats;
pub mod json;
pub mod shape;
pub mod time;
