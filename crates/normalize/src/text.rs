//! placeholder
use throughline_model::Body;

use crate::normalizer::NormalizeCounts;

/// x
#[derive(Debug)]
pub struct TextReader;
impl TextReader {
    /// x
    #[must_use]
    pub fn new(_brand_names: &[String]) -> Self {
        Self
    }
    /// x
    pub fn read(&self, _text: &str, _body: &mut Body<'_>, _counts: &mut NormalizeCounts) {}
}
