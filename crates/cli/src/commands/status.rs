//! `throughline status`: what the workers of a running instance do, and what to do about it.

use anyhow::Result;
use serde_json::Value;
use throughline_service::remote::{Question, Remote};

use super::inspect::{asking, no_answer};
use crate::arguments::StatusArguments;
use crate::context::Context;
use crate::exit::Exit;

/// Shows the status of one instance.
///
/// # Errors
/// When stdout cannot be written.
pub fn run(arguments: &StatusArguments, context: &Context) -> Result<Exit> {
    let Some(config) = asking(context) else { return Ok(Exit::Configuration) };
    let remote = Remote::new(&config, arguments.url.as_deref(), Question::Service);
    match remote.and_then(|remote| remote.get("/v1/status", &[])) {
        Ok(status) if context.output.json => context.output.object(&status)?,
        Ok(status) => {
            for line in lines(&status) {
                context.output.line(line)?;
            }
        }
        Err(error) => return Ok(no_answer(&error, context)),
    }
    Ok(Exit::Ok)
}

/// The status for a person: what stands out first, then the workers.
fn lines(status: &Value) -> Vec<String> {
    let ready = if status["ready"] == true { "ready" } else { "not ready" };
    let mut lines = vec![
        format!(
            "{} {} since {}, tenant {}, version {}, model {}",
            text(&status["instance"]),
            ready,
            text(&status["started_at"]),
            text(&status["tenant"]),
            text(&status["version"]),
            text(&status["model_version"])
        ),
        format!("{} customers, {} open alerts", status["customers"], status["alerts_open"]),
    ];
    for note in list(&status["notes"]) {
        lines.push(format!("! {}", text(&note["text"])));
        lines.push(format!("  {}", text(&note["action"])));
        if let Some(code) = note["code"].as_str().filter(|code| !code.is_empty()) {
            lines.push(format!("  throughline explain {code}"));
        }
    }
    for worker in list(&status["workers"]) {
        lines.push(worker_line(worker));
        lines.extend(list(&worker["partitions"]).map(partition_line));
        let held = list(&worker["bounds"]).filter(|bound| bound["holds"] == true);
        lines.extend(
            held.map(|bound| format!("  full: {} {} of {}", text(&bound["bound"]), bound["used"], bound["limit"])),
        );
    }
    lines
}

fn worker_line(worker: &Value) -> String {
    let partitions = list(&worker["partitions"]).count();
    let restoring = list(&worker["partitions"]).filter(|at| at["state"] == "restoring").count();
    let lag: u64 = list(&worker["partitions"]).filter_map(|at| at["lag_records"].as_u64()).sum();
    let mut line = format!("{} {}  {}", text(&worker["stage"]), worker["worker"], text(&worker["phase"]));
    line += &format!(", {partitions} partitions, {lag} records behind");
    if restoring > 0 {
        line += &format!(", {restoring} restoring");
    }
    if let Some(at) = worker["committed_at"].as_str() {
        line += &format!(", committed {at}");
    }
    line
}

fn partition_line(partition: &Value) -> String {
    let mut line = format!(
        "  {:<36} {:>4}  {:<9}",
        text(&partition["topic"]),
        partition["partition"].to_string(),
        text(&partition["state"])
    );
    if let Some(records) = partition["lag_records"].as_u64() {
        line += &format!(" {records} behind");
    }
    if let Some(seconds) = partition["lag_seconds"].as_f64() {
        line += &format!(", {seconds:.1} s");
    }
    if let Some(records) = partition["restore_remaining_records"].as_u64() {
        line += &format!(", {records} to restore");
    }
    let restore = &partition["restore"];
    if let (Some(from), Some(records)) = (restore["from"].as_str(), restore["records"].as_u64()) {
        line += &format!(", {records} read, {}", from.replace('_', " "));
    }
    if let Some(seconds) = restore["seconds_left"].as_u64() {
        line += &format!(", about {seconds} s left");
    }
    if let Some(reason) = partition["paused"].as_str() {
        line += &format!(" ({reason})");
    }
    line.trim_end().to_owned()
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_out_comes_before_the_workers() {
        let status = serde_json::json!({
            "version": "0.1.0", "application": "throughline", "tenant": "acme", "instance": "throughline-0",
            "model_version": "default@1.2", "started_at": "2026-11-20T10:00:00.000Z", "ready": false, "customers": 12,
            "alerts_open": 1,
            "workers": [{"stage": "experience", "worker": 0, "phase": "restoring", "committed_at": "2026-11-20T10:00:09.900Z", "bounds": [
                {"bound": "batch_records", "used": 3, "limit": 20000, "holds": false},
                {"bound": "memory_bytes", "used": 930, "limit": 1000, "holds": true}
            ], "partitions": [
                {"topic": "throughline.experience.inbox", "partition": 3, "state": "restoring", "lag_records": 40,
                 "restore_remaining_records": 900,
                 "restore": {"from": "local_log", "records": 100, "bytes": 9000, "seconds": 1, "seconds_left": 9}},
                {"topic": "throughline.experience.inbox", "partition": 4, "state": "paused", "paused": "backpressure",
                 "lag_records": 7, "lag_seconds": 1.5, "next_offset": 40, "txn_seq": 3}
            ]}],
            "notes": [{"code": "TL-F01", "text": "experience-0: restoring", "action": "wait; other partitions go on"}]
        });
        expect_test::expect![[r#"
            throughline-0 not ready since 2026-11-20T10:00:00.000Z, tenant acme, version 0.1.0, model default@1.2
            12 customers, 1 open alerts
            ! experience-0: restoring
              wait; other partitions go on
              throughline explain TL-F01
            experience 0  restoring, 2 partitions, 47 records behind, 1 restoring, committed 2026-11-20T10:00:09.900Z
              throughline.experience.inbox            3  restoring 40 behind, 900 to restore, 100 read, local log, about 9 s left
              throughline.experience.inbox            4  paused    7 behind, 1.5 s (backpressure)
              full: memory_bytes 930 of 1000"#]]
        .assert_eq(&lines(&status).join("\n"));
    }
}
