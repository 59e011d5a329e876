//! `throughline run`.

use anyhow::{Context as _, Result};
use indicatif::{ProgressBar, ProgressStyle};
use throughline_config::vocabulary::Stage;
use throughline_service::{Restoring, ServiceError, Stages};

use crate::allocator::purge;
use crate::arguments::RunArguments;
use crate::context::{Context, Deployment};
use crate::exit::Exit;

/// Runs the service until it is told to stop.
///
/// # Errors
/// If the runtime cannot be started.
pub fn run(arguments: &RunArguments, context: &Context) -> Result<Exit> {
    let Deployment { config, rules, .. } = match context.deployment() {
        Ok(deployment) => deployment,
        Err(errors) => {
            context.talk_errors(&errors);
            return Ok(Exit::Configuration);
        }
    };
    context.talk_warnings(&config.warnings);
    throughline_service::logs::start(&config.log);
    let stages = match arguments.stage {
        None => Stages::ALL,
        Some(stage) => Stages { normalize: stage == Stage::Normalize, experience: stage == Stage::Experience },
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .context("start the runtime")?;
    let mut bar = Bar::default();
    let show = |restoring| bar.show(restoring);
    let result = runtime.block_on(throughline_service::run(&config, rules, stages, purge, show));
    // Threads that wait for the network are not waited for.
    runtime.shutdown_background();
    Ok(ended(result, context))
}

/// A bar while state is read back, on a terminal only.
#[derive(Default)]
struct Bar(Option<ProgressBar>);

impl Bar {
    fn show(&mut self, restoring: Option<Restoring>) {
        let Some(restoring) = restoring else {
            if let Some(bar) = self.0.take() {
                bar.finish_and_clear();
            }
            return;
        };
        // Without a terminal indicatif draws nothing.
        let bar = self.0.get_or_insert_with(|| {
            let style = ProgressStyle::with_template("{msg} {bar:30} {human_pos}/{human_len} records");
            ProgressBar::new(0).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
        });
        let left = restoring.left.map_or(String::new(), |left| format!(", about {} s left", left.as_secs()));
        bar.set_length(restoring.records + restoring.remaining);
        bar.set_position(restoring.records);
        bar.set_message(format!("restoring {} partitions{left}", restoring.partitions));
    }
}

/// The exit code of an ending, and its reason on stderr.
pub fn ended(result: Result<(), ServiceError>, context: &Context) -> Exit {
    match result {
        Ok(()) => Exit::Ok,
        Err(error) => {
            context.output.talk(format_args!("error: {error}"));
            exit_of(&error)
        }
    }
}

/// The exit code of a fault.
pub fn exit_of(error: &ServiceError) -> Exit {
    Exit::ALL.iter().copied().find(|exit| exit.code() == error.exit_code()).unwrap_or(Exit::Unexpected)
}
