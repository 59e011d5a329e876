//! Files that are written by code and kept in the repository: one list, written by `generate`, compared by `generate --check`.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result};

/// A generated file: path from the root of the workspace, content.
type Generated = (String, Vec<u8>);

/// Every generated file. A new one is added here and nowhere else.
fn generated() -> Vec<Generated> {
    throughline_pipeline::records::generate()
        .into_iter()
        .map(|(path, content)| (format!("schemas/{path}"), content))
        .collect()
}

/// Writes the generated files, or with `check` names those that differ.
pub fn run(check: bool) -> Result<ExitCode> {
    let files = generated();
    let stale = apply(&crate::root(), &files, check)?;
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
fn apply<'g>(root: &Path, generated: &'g [Generated], check: bool) -> Result<Vec<&'g str>> {
    let mut stale = Vec::new();
    for (path, content) in generated {
        let file = root.join(path);
        if std::fs::read(&file).is_ok_and(|present| present == *content) {
            continue;
        }
        stale.push(path.as_str());
        if !check {
            if let Some(folder) = file.parent() {
                std::fs::create_dir_all(folder).with_context(|| format!("failed to make {}", folder.display()))?;
            }
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
        let list = [("new/a.txt".to_owned(), b"new\n".to_vec())];

        assert_eq!(apply(&folder, &list, true).expect("nothing is written"), ["new/a.txt"]);
        assert!(!folder.join("new/a.txt").exists());
        assert_eq!(apply(&folder, &list, false).expect("the folder can be written"), ["new/a.txt"]);
        assert!(apply(&folder, &list, true).expect("nothing is written").is_empty());

        std::fs::remove_dir_all(&folder).expect("the folder is ours");
    }
}
