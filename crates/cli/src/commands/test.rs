//! `throughline test`.

use anyhow::{Context as _, Result};
use serde_json::json;

use crate::arguments::TestArguments;
use crate::context::{Context, Deployment};
use crate::exit::Exit;
use crate::local::options::local_options;
use crate::local::test_cases::{START, Tested, junit, test_dir};

/// Runs the cases of a folder and says what does not hold.
///
/// # Errors
/// When there is no case, the report cannot be written, or stdout cannot be.
pub fn run(arguments: &TestArguments, context: &Context) -> Result<Exit> {
    let Deployment { config, rules, .. } = match context.deployment() {
        Ok(deployment) => deployment,
        Err(errors) => {
            context.talk_errors(&errors);
            return Ok(Exit::Configuration);
        }
    };
    let options = local_options(&config, rules, START)?;
    let tested = test_dir(&arguments.dir, &options)?;
    if let Some(file) = &arguments.junit {
        std::fs::write(file, junit(&tested)).with_context(|| format!("cannot write {}", file.display()))?;
    }
    for case in &tested {
        print(case, context)?;
    }
    let failed = tested.iter().filter(|case| !case.failures.is_empty()).count();
    context.output.talk(format_args!("{} passed, {failed} failed", tested.len() - failed));
    Ok(if failed > 0 { Exit::FoundProblems } else { Exit::Ok })
}

fn print(case: &Tested, context: &Context) -> std::io::Result<()> {
    let passed = case.failures.is_empty();
    if context.output.json {
        let line = json!({"case": case.name, "description": case.description, "passed": passed,
            "failures": case.failures, "seconds": case.seconds});
        return context.output.line(line);
    }
    let about = if case.description.is_empty() { String::new() } else { format!("  {}", case.description) };
    context.output.line(format_args!("{}  {}{about}", if passed { "pass" } else { "FAIL" }, case.name))?;
    for failure in &case.failures {
        context.output.line(format_args!("  {failure}"))?;
    }
    Ok(())
}
