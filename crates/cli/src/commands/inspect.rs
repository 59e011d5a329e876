//! `throughline inspect`: what a running instance has committed about one customer.

use anyhow::Result;
use serde_json::{Value, json};
use throughline_config::Config;
use throughline_config::vocabulary::{CustomerId, IdentifierType};
use throughline_service::remote::{Question, Remote, RemoteError};

use crate::context::Context;
use crate::exit::Exit;

/// Shows the committed state of one customer. The instance writes the look-up to the audit topic before it answers.
///
/// # Errors
/// When stdout cannot be written.
pub fn customer(
    id: &str,
    kind: Option<IdentifierType>,
    purpose: Option<&str>,
    url: Option<&str>,
    context: &Context,
) -> Result<Exit> {
    let Some(config) = asking(context) else { return Ok(Exit::Configuration) };
    if kind.is_none() && CustomerId::from_hex(id).is_none() {
        let text = "a customer id has 34 lower-case hex digits; an identifier needs its type: --type email";
        context.output.error(&anyhow::anyhow!(text));
        return Ok(Exit::Configuration);
    }
    let answer = Remote::new(&config, url, Question::Customer).and_then(|remote| {
        let purpose = purpose.map(|purpose| ("purpose", purpose));
        match kind {
            None => remote.get(&format!("/v1/customers/{id}"), &Vec::from_iter(purpose)),
            Some(kind) => {
                let query = [("type", kind.as_str()), ("value", id)];
                remote.get("/v1/customers", &Vec::from_iter(query.into_iter().chain(purpose)))
            }
        }
    });
    match answer {
        Ok(body) if context.output.json => context.output.object(&body)?,
        Ok(body) => print(&body, context)?,
        Err(error) => return Ok(no_answer(&error, context)),
    }
    Ok(Exit::Ok)
}

/// The configuration of a command that only asks: its warnings are those of the instance, which has told them.
pub fn asking(context: &Context) -> Option<Config> {
    context.config().map_err(|errors| context.talk_errors(&errors)).ok()
}

/// Says why an instance gave no answer, and what to do.
pub fn no_answer(error: &RemoteError, context: &Context) -> Exit {
    let (code, hint, exit) = match error {
        RemoteError::Silent { .. } => {
            ("silent", "start one with `throughline run`, or name another with --url".to_owned(), Exit::Unexpected)
        }
        RemoteError::Foreign { .. } => {
            ("foreign", "compare the address with `http.listen` of the instance".to_owned(), Exit::Unexpected)
        }
        RemoteError::Configuration(_) => ("configuration", String::new(), Exit::Configuration),
        RemoteError::Refused(refusal) => {
            let hint = match (refusal.status, refusal.retry_after_seconds) {
                (401, _) => "the configuration of this command needs the token: http.read_token_file".to_owned(),
                (503, Some(seconds)) => format!("ask again in {seconds} s; {}", refusal.documentation),
                _ => refusal.documentation.clone(),
            };
            let wrong_flags = matches!(refusal.status, 400 | 401 | 403);
            (refusal.code.as_str(), hint, if wrong_flags { Exit::Configuration } else { Exit::Unexpected })
        }
    };
    if context.output.json {
        context.output.talk(json!({"error": error.to_string(), "code": code, "hint": hint}));
    } else {
        context.output.talk(format_args!("error: {error}"));
        if !hint.is_empty() {
            context.output.talk(format_args!("  {hint}"));
        }
    }
    exit
}

fn print(body: &Value, context: &Context) -> Result<()> {
    for line in lines(body) {
        context.output.line(line)?;
    }
    Ok(())
}

/// The answer for a person: scores, why, what is known.
fn lines(body: &Value) -> Vec<String> {
    let scores = &body["scores"];
    let mut lines = vec![
        format!("customer      {}", text(&body["customer_id"])),
        format!("as of         {}, model {}", text(&scores["as_of"]), text(&scores["model_version"])),
        format!(
            "overall       {}   relationship {}   moment {}   lifetime {}",
            points(&scores["overall"]),
            points(&scores["relationship"]),
            points(&scores["moment"]),
            points(&scores["lifetime"])
        ),
        format!(
            "evidence      {} touchpoints, {} % observed, uncertainty {}, coverage {}",
            scores["touchpoints"],
            share(&scores["observed_share"]),
            fraction(&scores["uncertainty"]),
            fraction(&scores["coverage"])
        ),
    ];
    if let Some(baseline) = scores["baseline"].as_object() {
        let z = baseline.get("z").and_then(Value::as_f64).map_or_else(String::new, |z| format!(", now {z:+.1} sd"));
        lines.push(format!(
            "baseline      mean {} sd {} of {} touchpoints{z}",
            fraction(&baseline["mean"]),
            fraction(&baseline["sd"]),
            baseline["n"]
        ));
    }
    lines.extend(reasons(scores));
    lines.extend(known(body));
    let reflects = &body["reflects"];
    lines.push(format!("reflects      partition {} up to offset {}", reflects["partition"], reflects["offset"]));
    lines
}

/// Why the relationship score is what it is: the parts add up to it.
fn reasons(scores: &Value) -> Vec<String> {
    let mut lines = vec![format!("why           relationship {} is", points(&scores["relationship"]))];
    lines.push("                 50.0  where everybody starts".to_owned());
    lines.push(format!("              {:>+7.1}  assumed", number(&scores["prior"])));
    for reason in list(&scores["reasons"]) {
        lines.push(format!(
            "              {:>+7.1}  {:<28} {}",
            number(&reason["contribution"]),
            text(&reason["code"]),
            text(&reason["touchpoint_id"])
        ));
    }
    lines.push(format!("              {:>+7.1}  all others", number(&scores["other"])));
    lines
}

/// Channels, surveys, alerts, consent: only what there is.
fn known(body: &Value) -> Vec<String> {
    let customer = &body["customer"];
    let mut lines = Vec::new();
    let mut row = |label: &str, entries: Vec<String>| {
        for (at, entry) in entries.into_iter().enumerate() {
            lines.push(format!("{:<14}{entry}", if at == 0 { label } else { "" }));
        }
    };
    let channels = list(&body["scores"]["channels"]);
    row("channels", channels.map(|at| format!("{:<10} {}", text(&at["channel"]), text(&at["last_at"]))).collect());
    let surveys = list(&customer["surveys"]);
    let survey =
        |at: &Value| format!("{:<10} {} on {}", text(&at["instrument"]), at["score"], text(&at["answered_at"]));
    row("surveys", surveys.map(survey).collect());
    let alerts = list(&customer["open_alerts"]);
    let alert = |at: &Value| {
        let (severity, kind) = (text(&at["severity"]), text(&at["type"]));
        format!("{severity} {kind:<16} since {}  {}", text(&at["opened_at"]), text(&at["alert_id"]))
    };
    row("alerts", alerts.map(alert).collect());
    let consent = list(&customer["consent"]);
    row("consent", consent.map(|at| format!("{} {}", text(&at["purpose"]), text(&at["status"]))).collect());
    lines
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or("-")
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_default()
}

fn points(value: &Value) -> String {
    format!("{:.1}", number(value))
}

fn fraction(value: &Value) -> String {
    format!("{:.2}", number(value))
}

fn share(value: &Value) -> String {
    format!("{:.0}", 100.0 * number(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_shown_add_up_to_the_score() {
        let body = json!({
            "customer_id": "035911e87a810d8f9571835e716a1330ea",
            "scores": {
                "as_of": "2026-11-20T10:30:00.000Z", "model_version": "default@1.2", "overall": 38.25, "moment": 22.1,
                "relationship": 38.25, "lifetime": 55.5, "touchpoints": 9, "uncertainty": 0.41, "coverage": 0.75,
                "channels": [{"channel": "phone", "last_at": "2026-11-20T10:30:00.000Z", "seen": true}],
                "baseline": {"mean": 0.21, "sd": 0.34, "z": -2.97, "n": 9},
                "reasons": [{"touchpoint_id": "7d", "contribution": -23.75, "code": "partner.trip.delayed"}],
                "other": 8.5, "prior": 3.5, "observed_share": 0.65
            },
            "customer": {"open_alerts": [
                {"alert_id": "91", "type": "severe_moment", "severity": "P1", "opened_at": "2026-11-20T08:05:00.000Z"}
            ]},
            "reflects": {"partition": 3, "offset": 120}
        });
        expect_test::expect![[r#"
            customer      035911e87a810d8f9571835e716a1330ea
            as of         2026-11-20T10:30:00.000Z, model default@1.2
            overall       38.2   relationship 38.2   moment 22.1   lifetime 55.5
            evidence      9 touchpoints, 65 % observed, uncertainty 0.41, coverage 0.75
            baseline      mean 0.21 sd 0.34 of 9 touchpoints, now -3.0 sd
            why           relationship 38.2 is
                             50.0  where everybody starts
                             +3.5  assumed
                            -23.8  partner.trip.delayed         7d
                             +8.5  all others
            channels      phone      2026-11-20T10:30:00.000Z
            alerts        P1 severe_moment    since 2026-11-20T08:05:00.000Z  91
            reflects      partition 3 up to offset 120"#]]
        .assert_eq(&lines(&body).join("\n"));
    }
}
