//! Files that are written by code and kept in the repository: one list, written by `generate`, compared by `generate --check`.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result};

/// A generated file.
struct Generated {
    /// Path from the root of the workspace.
    path: &'static str,
    /// Makes its whole content.
    produce: fn() -> Result<String>,
}

/// Every generated file. A new one is added here and nowhere else.
const GENERATED: &[Generated] = &[];

/// Writes the generated files, or with `check` names those that differ.
pub fn run(check: bool) -> Result<ExitCode> {
    let stale = apply(&crate::root(), GENERATED, check)?;
    for path in &stale {
        println!("{} {path}", if check { "stale:" } else { "wrote" });
    }
    if check && !stale.is_empty() {
        println!("run `cargo xtask generate` and commit the result");
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}

/// The paths that were not what would be generated; unless `check`, they are now.
fn apply(root: &Path, generated: &[Generated], check: bool) -> Result<Vec<&'static str>> {
    let mut stale = Vec::new();
    for Generated { path, produce } in generated {
        let content = produce().with_context(|| format!("failed to generate {path}"))?;
        let file = root.join(path);
        if std::fs::read_to_string(&file).is_ok_and(|present| present == content) {
            continue;
        }
        stale.push(*path);
        if !check {
            std::fs::write(&file, content).with_context(|| format!("failed to write {path}"))?;
        }
    }
    Ok(stale)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stale_file_is_named_by_check_and_written_otherwise() {
        let folder = std::env::temp_dir().join(throughline_testkit::broker::unique_name("generate"));
        std::fs::create_dir_all(&folder).expect("a temporary folder can be made");
        let list = [Generated { path: "a.txt", produce: || Ok("new\n".to_owned()) }];

        assert_eq!(apply(&folder, &list, true).expect("nothing is written"), ["a.txt"]);
        assert!(!folder.join("a.txt").exists());
        assert_eq!(apply(&folder, &list, false).expect("the folder can be written"), ["a.txt"]);
        assert!(apply(&folder, &list, true).expect("nothing is written").is_empty());

        std::fs::remove_dir_all(&folder).expect("the folder is ours");
    }
}
