//! One module for each command.

mod check;
mod completions;
mod config;
mod demo;
mod explain;
mod identity;
mod inspect;
mod man;
mod run;
mod schemas;
mod state;
mod status;
mod test;
mod topics;
mod try_files;

use anyhow::Result;

use crate::arguments::{Command, ConfigAction, InspectAction, SchemasAction, StateAction, TopicsAction};
use crate::context::Context;
use crate::exit::Exit;

/// Runs one command.
///
/// # Errors
/// What failed and was not expected to: exit code 1.
pub fn run(command: &Command, context: &Context) -> Result<Exit> {
    match command {
        Command::Demo(arguments) => demo::run(arguments, context),
        Command::Try(arguments) => try_files::run(arguments, context),
        Command::Test(arguments) => test::run(arguments, context),
        Command::Run(arguments) => run::run(arguments, context),
        Command::Check(arguments) => check::run(arguments, context),
        Command::Config { action } => match action {
            ConfigAction::Show { changed } => config::show(*changed, context),
            ConfigAction::Default => config::default(context),
            ConfigAction::Schema => config::schema(context),
        },
        Command::Topics { action } => match action {
            TopicsAction::Plan(arguments) => topics::plan(arguments, context),
            TopicsAction::Apply(arguments) => topics::apply(arguments, context),
        },
        Command::Schemas { action } => match action {
            SchemasAction::Plan(arguments) => schemas::plan(arguments, context),
            SchemasAction::Apply(arguments) => schemas::apply(arguments, context),
            SchemasAction::Check(arguments) => schemas::check(arguments, context),
        },
        Command::Inspect { action } => match action {
            InspectAction::Customer { id, kind, purpose, url } => {
                inspect::customer(id, *kind, purpose.as_deref(), url.as_deref(), context)
            }
        },
        Command::Status(arguments) => status::run(arguments, context),
        Command::State { action } => match action {
            StateAction::Inspect(arguments) => state::inspect(arguments, context),
            StateAction::Verify(arguments) => state::verify(arguments, context),
        },
        Command::Explain { code } => explain::run(code.as_deref(), context),
        Command::Identity { action } => identity::run(action, context),
        Command::Completions { shell } => completions::run(*shell, context),
        Command::Man => man::run(context),
    }
}
