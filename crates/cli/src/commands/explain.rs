//! `throughline explain`.

use anyhow::Result;
use serde_json::json;

use crate::context::Context;
use crate::exit::Exit;
use crate::explain::{Page, find, nearest, pages};

/// Prints the page of a code, or the list of all.
///
/// # Errors
/// When stdout cannot be written.
pub fn run(code: Option<&str>, context: &Context) -> Result<Exit> {
    let Some(code) = code else {
        for page in pages() {
            if context.output.json {
                context.output.object(&to_json(&page))?;
            } else {
                context.output.line(format_args!("{:<8} {:<22} {}", page.code, page.name, page.title()))?;
            }
        }
        return Ok(Exit::Ok);
    };
    let found = find(code);
    if found.is_empty() {
        let hint = nearest(code).map(|name| format!("did you mean `{name}`? ")).unwrap_or_default();
        let problem = anyhow::anyhow!("there is no page `{code}`; {hint}`throughline explain` lists them");
        context.output.error(&problem);
        return Ok(Exit::Configuration);
    }
    for (at, page) in found.iter().enumerate() {
        if context.output.json {
            context.output.object(&to_json(page))?;
        } else {
            let gap = if at > 0 { "\n" } else { "" };
            context.output.line(format_args!("{gap}{} {}\n\n{}", page.code, page.name, page.body))?;
        }
    }
    Ok(Exit::Ok)
}

fn to_json(page: &Page) -> serde_json::Value {
    json!({"code": page.code, "name": page.name, "text": page.body})
}
