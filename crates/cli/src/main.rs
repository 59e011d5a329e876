//! The `throughline` binary: flags, subcommands, output, exit codes.
//!
//! **What it does.** Turns flags into typed arguments, loads the configuration, calls one module of [`commands`], prints.
//!
//! **What it does not.** It decides nothing about records, and knows nothing of HTTP.
//!
//! **Invariants.** What a command gives goes to stdout, what it says goes to stderr. Every command ends with one of the
//! documented exit codes ([`exit::Exit`]).
//!
//! **Where to start.** [`arguments`], then `commands/check.rs`.

mod allocator;
mod arguments;
mod commands;
mod context;
mod demo;
mod exit;
mod explain;
mod local;
mod output;

use clap::Parser;

use crate::arguments::Arguments;
use crate::context::Context;
use crate::exit::Exit;

fn main() -> std::process::ExitCode {
    let arguments = Arguments::parse();
    let context = Context::new(&arguments.global, std::env::vars_os());
    let exit = match commands::run(&arguments.command, &context) {
        Ok(exit) => exit,
        Err(error) if output::is_broken_pipe(&error) => Exit::Ok,
        Err(error) => {
            context.output.error(&error);
            Exit::Unexpected
        }
    };
    exit.into()
}
