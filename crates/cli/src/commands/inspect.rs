//! `throughline inspect`.

use anyhow::Result;
use throughline_config::vocabulary::IdentifierType;

use crate::context::Context;
use crate::exit::Exit;

/// Shows the committed state of one customer.
///
/// # Errors
/// Always: it is not built yet.
pub fn customer(
    _id: &str,
    _kind: Option<IdentifierType>,
    _purpose: Option<&str>,
    _url: Option<&str>,
    _context: &Context,
) -> Result<Exit> {
    super::not_built("inspect customer")
}
