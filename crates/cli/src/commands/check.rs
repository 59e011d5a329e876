//! `throughline check`: without network and secrets every mistake at once; `--connect` asks what the configuration names.

use anyhow::Result;
use serde_json::json;
use throughline_config::{ConfigError, ConfigWarning};

use crate::arguments::CheckArguments;
use crate::context::{Context, Deployment};
use crate::exit::Exit;

/// Runs the command.
///
/// # Errors
/// When stdout cannot be written.
pub fn run(arguments: &CheckArguments, context: &Context) -> Result<Exit> {
    if arguments.connect {
        return super::not_built("check --connect");
    }
    match context.deployment() {
        Ok(deployment) => valid(&deployment, arguments.strict, context),
        Err(errors) => {
            if context.output.json {
                let errors: Vec<_> = errors.iter().map(ConfigError::to_json).collect();
                context.output.object(&json!({"valid": false, "errors": errors, "warnings": []}))?;
            } else {
                context.talk_errors(&errors);
            }
            Ok(Exit::Configuration)
        }
    }
}

fn valid(deployment: &Deployment, strict: bool, context: &Context) -> Result<Exit> {
    let (config, model) = (&deployment.config, deployment.rules.version());
    let set = config.settings.values().filter(|setting| setting.origin.is_set()).count();
    if context.output.json {
        let warnings: Vec<_> = config.warnings.iter().map(ConfigWarning::to_json).collect();
        context.output.object(&json!({"valid": true, "model": model, "errors": [], "warnings": warnings}))?;
    } else {
        context.talk_warnings(&config.warnings);
        let file = context.file().map_or_else(|| "no file".to_owned(), |file| file.display().to_string());
        let remarks = match config.warnings.len() {
            0 => "nothing to remark".to_owned(),
            1 => "1 warning".to_owned(),
            count => format!("{count} warnings"),
        };
        context.output.line(format_args!(
            "valid: {file}, {set} of {} keys set, model {model}, {remarks}",
            config.settings.len()
        ))?;
    }
    Ok(if strict && !config.warnings.is_empty() { Exit::FoundProblems } else { Exit::Ok })
}
