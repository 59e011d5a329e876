//! `throughline check`: without network and secrets every mistake at once; `--connect` asks what the configuration names.

use anyhow::Result;
use serde_json::json;
use throughline_config::{Config, ConfigError, ConfigWarning, KeyPath};
use throughline_service::connect::{Outcome, Report};
use throughline_service::wiring;

use crate::arguments::CheckArguments;
use crate::context::{Context, Deployment};
use crate::exit::Exit;

/// Runs the command.
///
/// # Errors
/// When stdout cannot be written.
pub fn run(arguments: &CheckArguments, context: &Context) -> Result<Exit> {
    let deployment = context.deployment().and_then(supported);
    match deployment {
        Ok(deployment) if arguments.connect => connect(&deployment.config, context),
        Ok(deployment) => valid(&deployment, arguments.strict, context),
        Err(errors) => {
            if context.output.json && !arguments.connect {
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

/// Refuses what this build cannot do, as if it were a mistake: better here than at the start.
fn supported(deployment: Deployment) -> Result<Deployment, Vec<ConfigError>> {
    let Some((key, problem)) = wiring::unsupported(&deployment.config.kafka, wiring::HAS_TLS) else {
        return Ok(deployment);
    };
    let setting = deployment.config.settings.get(&KeyPath::of(key)).expect("every key has a value");
    Err(vec![ConfigError::new(key, setting.origin.clone(), problem).with_help(wiring::TLS_HELP)])
}

fn connect(config: &Config, context: &Context) -> Result<Exit> {
    context.talk_warnings(&config.warnings);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let report = runtime.block_on(throughline_service::connect::connect(config));
    print(&report, context)?;
    Ok(match report.count(Outcome::Failed) {
        _ if report.unreachable => Exit::KafkaUnreachable,
        0 => Exit::Ok,
        _ => Exit::FoundProblems,
    })
}

fn print(report: &Report, context: &Context) -> Result<()> {
    for finding in &report.findings {
        let (check, outcome) = (finding.check, finding.outcome.as_str());
        if context.output.json {
            context.output.object(&json!({
                "check": check, "subject": finding.subject, "outcome": outcome, "detail": finding.detail,
            }))?;
        } else {
            context.output.line(format_args!("{outcome:<8} {check:<14} {:<40} {}", finding.subject, finding.detail))?;
        }
    }
    let count = |outcome| report.count(outcome);
    let (passed, failed) = (count(Outcome::Passed), count(Outcome::Failed));
    context.output.talk(format_args!("{passed} passed, {failed} failed, {} skipped", count(Outcome::Skipped)));
    Ok(())
}
