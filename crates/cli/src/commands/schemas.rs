//! `throughline schemas`.

use anyhow::Result;

use crate::context::Context;
use crate::exit::Exit;

/// Prints what the registry lacks.
///
/// # Errors
/// Always: it is not built yet.
pub fn plan(_context: &Context) -> Result<Exit> {
    super::not_built("schemas plan")
}

/// Registers what the registry lacks.
///
/// # Errors
/// Always: it is not built yet.
pub fn apply(_context: &Context) -> Result<Exit> {
    super::not_built("schemas apply")
}

/// Checks that every version can read the ones before it.
///
/// # Errors
/// Always: it is not built yet.
pub fn check(_context: &Context) -> Result<Exit> {
    super::not_built("schemas check")
}
