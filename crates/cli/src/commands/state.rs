//! `throughline state`: what a local log or a changelog partition holds, and whether it is whole.

use anyhow::Result;
use throughline_config::Config;
use throughline_service::ServiceError;
use throughline_service::state::{self, PartitionReport};

use super::run::exit_of;
use crate::arguments::{StateArguments, VerifyArguments};
use crate::context::Context;
use crate::exit::Exit;

/// Shows parts, versions, sizes and largest customers.
///
/// # Errors
/// When stdout cannot be written.
pub fn inspect(arguments: &StateArguments, context: &Context) -> Result<Exit> {
    let Some(config) = context.config_or_talk() else { return Ok(Exit::Configuration) };
    let reports = match reports(arguments, &config) {
        Ok(reports) => reports,
        Err(error) => return Ok(failed(&error, context)),
    };
    for report in &reports {
        if context.output.json {
            context.output.object(&serde_json::to_value(report)?)?;
        } else {
            for line in lines(report) {
                context.output.line(line)?;
            }
        }
    }
    Ok(Exit::Ok)
}

/// Says what is wrong; nothing if all is well.
///
/// # Errors
/// When stdout cannot be written.
pub fn verify(arguments: &VerifyArguments, context: &Context) -> Result<Exit> {
    let Some(config) = context.config_or_talk() else { return Ok(Exit::Configuration) };
    let reports = reports(&arguments.state, &config).and_then(|mut reports| {
        if arguments.against_changelog {
            let client = throughline_service::wiring::client(&config.kafka)?;
            reports.iter_mut().try_for_each(|report| state::compare(&client, report))?;
        }
        Ok(reports)
    });
    let reports = match reports {
        Ok(reports) => reports,
        Err(error) => return Ok(failed(&error, context)),
    };
    let mut problems = 0;
    for report in &reports {
        problems += report.problems.len();
        if context.output.json {
            context.output.object(&serde_json::json!({
                "source": report.source,
                "topic": report.topic,
                "partition": report.partition,
                "records": report.records,
                "customers": report.customers,
                "problems": report.problems,
            }))?;
        } else {
            let verdict = if report.problems.is_empty() { "ok" } else { "damaged" };
            let (place, customers, records) = (place(report), report.customers, report.records);
            context.output.line(format_args!("{verdict:<8} {place}  {customers} customers, {records} records"))?;
            for problem in &report.problems {
                context.output.line(format_args!("  {problem}"))?;
            }
        }
    }
    context.output.talk(format_args!("{} partitions, {problems} problems", reports.len()));
    Ok(if problems == 0 { Exit::Ok } else { Exit::FoundProblems })
}

fn failed(error: &ServiceError, context: &Context) -> Exit {
    context.output.talk(format_args!("error: {error}"));
    exit_of(error)
}

fn reports(arguments: &StateArguments, config: &Config) -> Result<Vec<PartitionReport>, ServiceError> {
    let wanted = |partition: i32| arguments.partition.is_none_or(|only| only == partition);
    if let Some(topic) = &arguments.topic {
        let client = throughline_service::wiring::client(&config.kafka)?;
        let partitions = state::partitions(&client, topic)?;
        if let Some(missing) = arguments.partition.filter(|only| *only >= partitions) {
            return Err(ServiceError::Configuration(format!("{topic} has {partitions} partitions, none is {missing}")));
        }
        return (0..partitions)
            .filter(|partition| wanted(*partition))
            .map(|partition| state::changelog(&client, topic, partition))
            .collect();
    }
    let Some(directory) = arguments.directory.as_ref().or(config.state.directory.as_ref()) else {
        return Err(ServiceError::Configuration(
            "name a directory, or a changelog with --topic: state.directory is not set".to_owned(),
        ));
    };
    let mut reports = state::local_log(directory)?;
    reports.retain(|report| wanted(report.partition));
    Ok(reports)
}

fn place(report: &PartitionReport) -> String {
    match &report.folder {
        Some(folder) => folder.display().to_string(),
        None => format!("{}[{}]", report.topic, report.partition),
    }
}

/// A partition for a person.
fn lines(report: &PartitionReport) -> Vec<String> {
    let mut lines = vec![format!("{}: {} partition {}", place(report), report.topic, report.partition)];
    if report.in_use {
        lines.push("  a process uses this directory: its last file is being written".to_owned());
    }
    for file in &report.files {
        let (records, bytes) = (file.records, file.bytes);
        lines.push(format!(
            "  {:<22} {:<9} {records} records, {bytes} bytes, {}",
            file.file, file.kind, file.created_at
        ));
    }
    match (report.from_offset, &report.as_of, report.end_offset) {
        (Some(from), Some(at), _) => {
            lines.push(format!("  a restore reads the changelog from offset {from} on ({at})"))
        }
        (Some(low), None, Some(end)) => lines.push(format!("  offsets {low} to {end}")),
        _ => {}
    }
    let (keys, customers, bytes, records) = (report.keys, report.customers, report.bytes, report.records);
    lines.push(format!("  {customers} customers in {keys} keys, {bytes} bytes, of {records} records"));
    if let Some(header) = &report.header {
        lines.push(format!(
            "  state format {}, {} partitions by {}, hash key {}, model {}",
            header.state_format, header.partitions, header.partitioner, header.key_id, header.model
        ));
    }
    for (name, part) in &report.parts {
        let (customers, bytes, max) = (part.customers, part.bytes, part.bytes_max);
        lines.push(format!("  part {name:<8} {customers} customers, {bytes} bytes, at most {max}"));
    }
    for (name, bytes) in &report.other_keys {
        lines.push(format!("  key {name}: {bytes} bytes"));
    }
    for large in &report.largest {
        lines.push(format!("  large: {} {} bytes", large.customer_id, large.bytes));
    }
    lines.extend(report.problems.iter().map(|problem| format!("  ! {problem}")));
    lines
}
