//! One module per vendor format, each with its table from source fields to touchpoint types.

mod amount;
mod meta;

use crate::format::Format;

/// Every format, in the order their names are listed to people. They exclude each other, so the order decides nothing.
static ALL: &[&dyn Format] = &[&meta::Meta];

/// Every format.
#[must_use]
pub fn all() -> &'static [&'static dyn Format] {
    ALL
}

/// The format of that name.
#[must_use]
pub fn by_name(name: &str) -> Option<&'static dyn Format> {
    ALL.iter().copied().find(|format| format.name() == name)
}
