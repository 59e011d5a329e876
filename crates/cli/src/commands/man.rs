//! `throughline man`: one page for everything, subcommands included.

use anyhow::Result;
use clap::CommandFactory;
use clap_mangen::Man;

use crate::arguments::Arguments;
use crate::context::Context;
use crate::exit::Exit;

/// Prints the manual page, to be read with `throughline man | man -l -`.
///
/// # Errors
/// When stdout cannot be written.
pub fn run(context: &Context) -> Result<Exit> {
    let mut page = Vec::new();
    let mut command = Arguments::command();
    command.build();
    let man = Man::new(command.clone());
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    for inner in command.get_subcommands() {
        section(inner, inner.get_name(), &mut page)?;
    }
    man.render_extra_section(&mut page)?;
    man.render_version_section(&mut page)?;
    context.output.raw(&page)?;
    Ok(Exit::Ok)
}

/// Name, purpose and flags of a subcommand and of those inside it.
fn section(command: &clap::Command, path: &str, page: &mut Vec<u8>) -> Result<()> {
    use std::io::Write;

    writeln!(page, ".SH \"{}\"", path.to_uppercase())?;
    if let Some(about) = command.get_about() {
        // A line that starts with a dot would be read as a request.
        writeln!(page, "\\&{}", about.to_string().replace('\\', "\\\\"))?;
    }
    let own = command.get_arguments().filter(|argument| !argument.is_global_set() && !argument.is_hide_set());
    for argument in own.filter(|argument| argument.get_id() != "help") {
        let value = argument.get_value_names().map(|names| names.join(" ")).unwrap_or_default();
        let name = match argument.get_long() {
            Some(long) if argument.get_action().takes_values() => format!("\\-\\-{long} {value}"),
            Some(long) => format!("\\-\\-{long}"),
            None => value.to_string(),
        };
        let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
        writeln!(page, ".TP\n\\fB{name}\\fR\n\\&{}", help.replace('\\', "\\\\"))?;
    }
    for inner in command.get_subcommands() {
        section(inner, &format!("{path} {}", inner.get_name()), page)?;
    }
    Ok(())
}
