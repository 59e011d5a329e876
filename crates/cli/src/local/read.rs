//! Records of files: whole JSON documents, newline-separated JSON, tab-separated text, Avro object container files.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde_json::Value;
use serde_json::value::RawValue;

/// First bytes of an Avro object container file.
const AVRO: &[u8] = b"Obj\x01";
/// First bytes of a file packed with gzip.
const GZIP: &[u8] = b"\x1f\x8b";
/// A JSON array with more members is an export rather than one record; a record holds at most so many entries.
const MEMBERS_MAX: usize = 1_000;

/// Receives records with the line they start on; for an Avro file and for members of an array: their number. From 1.
pub type Sink<'s> = &'s mut dyn FnMut(u64, Vec<u8>) -> Result<()>;

/// Reads a file; `-` is stdin. `progress` is told about bytes that were read.
///
/// # Errors
/// When the file cannot be read, is no Avro file although it starts as one, or the sink fails.
pub fn read_file(path: &Path, progress: &mut dyn FnMut(u64), sink: Sink<'_>) -> Result<()> {
    let name = path.display();
    if path == Path::new("-") {
        return read(BufReader::new(io::stdin().lock()), "", progress, sink).context("cannot read stdin");
    }
    let file = File::open(path).with_context(|| format!("cannot read {name}"))?;
    let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    read(BufReader::with_capacity(1 << 16, file), extension, progress, sink)
        .map_err(|error| if error.is::<NotTaken>() { error } else { error.context(format!("cannot read {name}")) })
}

/// Context of an error that is the sink's: nothing is wrong with the file.
#[derive(Debug)]
pub struct NotTaken;

impl std::fmt::Display for NotTaken {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("cannot write what came of it")
    }
}

/// Reads records of anything.
fn read(mut from: impl BufRead, extension: &str, progress: &mut dyn FnMut(u64), sink: Sink<'_>) -> Result<()> {
    let first = from.fill_buf()?;
    if first.starts_with(GZIP) {
        bail!("packed with gzip; `gunzip -c FILE | throughline try -` reads it");
    }
    if first.starts_with(AVRO) {
        return read_avro(Counted { from, progress }, sink);
    }
    let mut head = Head::default();
    let is_lines = head.is_lines(&mut from, extension)?;
    if is_lines {
        return read_lines(head, from, progress, sink);
    }
    let mut whole = head.bytes();
    from.read_to_end(&mut whole)?;
    progress(whole.len() as u64);
    read_whole(whole, sink)
}

/// The first lines of a file, read to see what it is.
#[derive(Default)]
struct Head(Vec<Vec<u8>>);

impl Head {
    /// Whether every line is a record of its own.
    fn is_lines(&mut self, from: &mut impl BufRead, extension: &str) -> io::Result<bool> {
        if matches!(extension, "ndjson" | "jsonl" | "tsv") {
            return Ok(true);
        }
        let Some(first) = self.next(from)? else { return Ok(false) };
        if is_document(&first) || (first.contains(&b'\t') && !matches!(first.trim_ascii().first(), Some(b'{' | b'['))) {
            return Ok(true);
        }
        // A first line that is torn: the next one tells. Inside one printed document no line is an object by itself,
        // but for a list with one member a line.
        let is_open = matches!(first.trim_ascii(), b"[" | b"{");
        Ok(!is_open && first.len() > 1 && self.next(from)?.is_some_and(|second| is_document(&second)))
    }

    /// The next line with something in it.
    fn next(&mut self, from: &mut impl BufRead) -> io::Result<Option<Vec<u8>>> {
        loop {
            let mut line = Vec::new();
            if from.read_until(b'\n', &mut line)? == 0 {
                return Ok(None);
            }
            let is_empty = line.trim_ascii().is_empty();
            self.0.push(line.clone());
            if !is_empty {
                return Ok(Some(line));
            }
        }
    }

    fn bytes(self) -> Vec<u8> {
        self.0.concat()
    }
}

fn is_document(line: &[u8]) -> bool {
    matches!(line.trim_ascii().first(), Some(b'{' | b'[')) && serde_json::from_slice::<&RawValue>(line).is_ok()
}

fn read_lines(head: Head, mut from: impl BufRead, progress: &mut dyn FnMut(u64), sink: Sink<'_>) -> Result<()> {
    let mut number = 0;
    let mut lines = head.0.into_iter();
    loop {
        let line = match lines.next() {
            Some(line) => line,
            None => {
                let mut line = Vec::new();
                from.read_until(b'\n', &mut line)?;
                line
            }
        };
        if line.is_empty() {
            return Ok(());
        }
        number += 1;
        progress(line.len() as u64);
        let end = line.len() - line.iter().rev().take_while(|byte| matches!(byte, b'\n' | b'\r')).count();
        if !line.trim_ascii().is_empty() {
            sink(number, line[..end].to_vec())?;
        }
    }
}

fn read_whole(whole: Vec<u8>, sink: Sink<'_>) -> Result<()> {
    let members = match serde_json::from_slice::<Vec<&RawValue>>(&whole) {
        Ok(members) if members.len() > MEMBERS_MAX => members,
        _ if whole.trim_ascii().is_empty() => return Ok(()),
        _ => return sink(1, whole),
    };
    for (number, member) in (1..).zip(members) {
        sink(number, member.get().as_bytes().to_vec())?;
    }
    Ok(())
}

fn read_avro(from: impl Read, sink: Sink<'_>) -> Result<()> {
    let reader = apache_avro::Reader::new(from).context("not a whole Avro object container file")?;
    for (number, datum) in (1..).zip(reader) {
        let datum = datum.with_context(|| format!("torn at record {number}"))?;
        let shown = format!("{datum:?}");
        // Numbers that JSON has no words for leave no document; what is shown then is rejected like any other text.
        let text = Value::try_from(datum).map_or(shown, |value| value.to_string());
        sink(number, text.into_bytes())?;
    }
    Ok(())
}

struct Counted<'p, R> {
    from: R,
    progress: &'p mut dyn FnMut(u64),
}

impl<R: Read> Read for Counted<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.from.read(buffer)?;
        (self.progress)(read as u64);
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records(text: impl AsRef<[u8]>, extension: &str) -> Vec<(u64, String)> {
        let mut records = Vec::new();
        let mut bytes = 0;
        read(text.as_ref(), extension, &mut |read| bytes += read, &mut |line, record| {
            records.push((line, String::from_utf8_lossy(&record).into_owned()));
            Ok(())
        })
        .expect("it can be read");
        assert_eq!(bytes, text.as_ref().len() as u64);
        records
    }

    fn lines(text: &str, extension: &str) -> Vec<u64> {
        records(text, extension).into_iter().map(|(line, _)| line).collect()
    }

    #[test]
    fn what_a_file_is_shows_in_its_first_lines() {
        assert_eq!(lines("{\"a\":1}\n\n{\"b\":2}\r\n", ""), [1, 3], "newline-separated");
        assert_eq!(lines("{\n \"a\": 1\n}\n", "json"), [1], "one printed document");
        assert_eq!(lines("[\n{\"a\":1},\n{\"a\":2}\n]", "json"), [1], "one record with two entries");
        assert_eq!(lines("{\"a\":1\n{\"b\":2}\n{\"c\":3}\n", ""), [1, 2, 3], "the first line is torn");
        assert_eq!(lines("garbage\n{\"b\":2}\n", "ndjson"), [1, 2]);
        assert_eq!(lines("a\tb\tc\nd\te\tf\n", "tsv"), [1, 2]);
        assert_eq!(lines("\ta\tb\n\td\te\n", ""), [1, 2], "the first column may be empty");
        assert_eq!(lines("// why\n{\"a\":1,\n\"b\":2}\n", "json"), [1]);
        assert_eq!(lines("\n\n", ""), [0; 0]);
        assert!(read(&b"\x1f\x8b\x08"[..], "gz", &mut |_| {}, &mut |_, _| Ok(())).is_err());
        assert_eq!(records("{\"a\":1}\r\n\t\n", ""), [(1, "{\"a\":1}".to_owned())]);
    }

    #[test]
    fn a_long_array_is_an_export() {
        let text = format!("[{}0]", "0,\n".repeat(1_000));
        assert_eq!(lines(&text, "json").len(), 1_001);
        let text = format!("[{}0]", "0,".repeat(999));
        assert_eq!(lines(&text, "json").len(), 1);
    }

    #[test]
    fn avro_files_are_read_as_json() {
        let schema = r#"{"type":"record","name":"T","fields":[{"name":"type","type":"string"},{"name":"n","type":["null","long"]}]}"#;
        let schema = apache_avro::Schema::parse_str(schema).expect("a schema");
        let mut writer = apache_avro::Writer::new(&schema, Vec::new()).expect("a writer");
        for n in [Some(7_i64), None] {
            let mut record = apache_avro::types::Record::new(&schema).expect("a record");
            record.put("type", "page.viewed");
            record.put("n", n);
            writer.append_value(record).expect("appended");
        }
        let file = writer.into_inner().expect("a file");
        let expected = [r#"{"n":7,"type":"page.viewed"}"#, r#"{"n":null,"type":"page.viewed"}"#];
        let mut found = Vec::new();
        read(file.as_slice(), "", &mut |_| {}, &mut |line, record| {
            found.push((line, String::from_utf8(record)?));
            Ok(())
        })
        .expect("it can be read");
        let parsed = |text: &str| serde_json::from_str::<Value>(text).expect("JSON");
        assert_eq!(found.len(), 2);
        assert!(
            found.iter().zip(expected).all(|((_, found), expected)| parsed(found) == parsed(expected)),
            "{found:?}"
        );
        assert!(read(&file[..file.len() - 9], "", &mut |_| {}, &mut |_, _| Ok(())).is_err(), "a torn file is told");
    }
}
