//! `throughline completions`.

use anyhow::Result;
use clap::CommandFactory;
use clap_complete::Shell;

use crate::arguments::Arguments;
use crate::context::Context;
use crate::exit::Exit;

/// Prints the completions for a shell.
///
/// # Errors
/// When stdout cannot be written.
pub fn run(shell: Shell, context: &Context) -> Result<Exit> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "throughline", &mut script);
    context.output.raw(&script)?;
    Ok(Exit::Ok)
}
