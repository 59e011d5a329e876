//! `throughline try`.

use std::io::{self, BufWriter};

use anyhow::{Context as _, Result};
use throughline_config::vocabulary::Now;

use crate::arguments::TryArguments;
use crate::context::{Context, Deployment};
use crate::exit::Exit;
use crate::local::options::{local_options, now, select};
use crate::local::try_files::{TryRequest, try_files};

/// Runs the files through the stages in memory and prints what would be written.
///
/// # Errors
/// When a file cannot be read, or stdout cannot be written.
pub fn run(arguments: &TryArguments, context: &Context) -> Result<Exit> {
    let Deployment { config, rules, .. } = match context.deployment() {
        Ok(deployment) => deployment,
        Err(errors) => {
            context.talk_errors(&errors);
            return Ok(Exit::Configuration);
        }
    };
    let mut options = local_options(&config, rules, now())?;
    let source = match select(&mut options, arguments.source, &arguments.format) {
        Ok(source) => source,
        Err(error) => {
            context.output.error(&error);
            return Ok(Exit::Configuration);
        }
    };
    let request = TryRequest {
        files: &arguments.files,
        source,
        until: arguments.until.map(|until| Now::from_millis(until.as_millisecond())),
        prefix: &config.topics.prefix,
        json: context.output.json,
    };
    let mut out = BufWriter::with_capacity(1 << 16, io::stdout().lock());
    let summary = try_files(&request, options, &mut out).context("failed to try the files")?;
    Ok(if arguments.strict && summary.rejected() > 0 { Exit::FoundProblems } else { Exit::Ok })
}
