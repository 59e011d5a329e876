//! Packed values: a fixed sequence without tags, inside one tagged field.

use throughline_codec::wire::{WireError, put_uint, unzigzag, zigzag};
use throughline_experience::decay::Decayed;
use throughline_model::{EventTime, Hash128};

/// Appends a field whose bytes `write` packs.
pub fn packed(out: &mut Vec<u8>, field: u32, write: impl FnOnce(&mut Vec<u8>)) {
    const BYTES: u64 = 2;
    put_uint(out, u64::from(field) << 3 | BYTES);
    let at = out.len();
    // Most values are shorter than 128 bytes: one byte of length is kept free and widened when it must be.
    out.push(0);
    write(out);
    let length = out.len() - at - 1;
    if length < 0x80 {
        out[at] = length as u8;
        return;
    }
    let end = out.len();
    put_uint(out, length as u64);
    let prefix = out.len() - end;
    let mut bytes = [0; 10];
    bytes[..prefix].copy_from_slice(&out[end..]);
    out.truncate(end + prefix - 1);
    out.copy_within(at + 1..end, at + prefix);
    out[at..at + prefix].copy_from_slice(&bytes[..prefix]);
}

/// Appends text with its length.
pub fn put_text(out: &mut Vec<u8>, text: &str) {
    put_uint(out, text.len() as u64);
    out.extend_from_slice(text.as_bytes());
}

/// Appends a signed integer.
pub fn put_sint(out: &mut Vec<u8>, value: i64) {
    put_uint(out, zigzag(value));
}

/// Appends a signed integer that may be absent: 0, else its zigzag code plus 1.
pub fn put_opt_sint(out: &mut Vec<u8>, value: Option<i64>) {
    // The one value whose code has no successor is no time and no number that occurs.
    put_uint(out, value.map_or(0, |value| zigzag(value).saturating_add(1)));
}

/// Appends a double, bit for bit.
pub fn put_double(out: &mut Vec<u8>, value: f64) {
    out.extend_from_slice(&value.to_bits().to_le_bytes());
}

/// Appends landmark and sums.
pub fn put_decayed(out: &mut Vec<u8>, sums: &Decayed) {
    put_sint(out, i64::from(sums.landmark));
    put_double(out, sums.a);
    put_double(out, sums.b);
}

/// `later - earlier` in milliseconds, wrapping: every pair of times has a difference and comes back.
pub const fn since(later: EventTime, earlier: EventTime) -> i64 {
    later.as_millis().wrapping_sub(earlier.as_millis())
}

/// The time that [`since`] was taken from.
pub const fn before(later: EventTime, difference: i64) -> EventTime {
    EventTime::from_millis(later.as_millis().wrapping_sub(difference))
}

/// Reads packed values of one field.
pub struct Packed<'a> {
    bytes: &'a [u8],
    field: u32,
}

impl<'a> Packed<'a> {
    /// Reads the bytes of `field`.
    pub const fn new(bytes: &'a [u8], field: u32) -> Self {
        Self { bytes, field }
    }

    /// How many values follow at most, given that each has at least `size` bytes.
    pub fn count(&mut self, size: usize) -> Result<usize, WireError> {
        let count: usize = self.narrow()?;
        if count > self.bytes.len() / size { Err(WireError::Torn) } else { Ok(count) }
    }

    /// What to say about an impossible value.
    pub const fn impossible(&self) -> WireError {
        WireError::Impossible(self.field)
    }

    /// An unsigned integer.
    #[inline]
    pub fn uint(&mut self) -> Result<u64, WireError> {
        let mut value = 0;
        for (at, &byte) in self.bytes.iter().enumerate().take(10) {
            value |= u64::from(byte & 0x7f) << (7 * at);
            if byte < 0x80 {
                self.bytes = &self.bytes[at + 1..];
                return Ok(value);
            }
        }
        Err(WireError::Torn)
    }

    /// An unsigned integer of a narrower type.
    pub fn narrow<T: TryFrom<u64>>(&mut self) -> Result<T, WireError> {
        T::try_from(self.uint()?).map_err(|_| self.impossible())
    }

    /// A signed integer.
    pub fn sint(&mut self) -> Result<i64, WireError> {
        self.uint().map(unzigzag)
    }

    /// A signed integer of a narrower type.
    pub fn narrow_sint<T: TryFrom<i64>>(&mut self) -> Result<T, WireError> {
        T::try_from(self.sint()?).map_err(|_| self.impossible())
    }

    /// A signed integer that may be absent.
    pub fn opt_sint(&mut self) -> Result<Option<i64>, WireError> {
        Ok(self.uint()?.checked_sub(1).map(unzigzag))
    }

    /// A member of a closed set.
    pub fn member<T>(&mut self, from_code: impl FnOnce(u64) -> Option<T>) -> Result<T, WireError> {
        from_code(self.uint()?).ok_or(self.impossible())
    }

    /// One byte.
    pub fn byte(&mut self) -> Result<u8, WireError> {
        self.array::<1>().map(|[byte]| byte)
    }

    /// A double; no state holds an infinite one.
    pub fn double(&mut self) -> Result<f64, WireError> {
        let value = f64::from_bits(u64::from_le_bytes(self.array()?));
        if value.is_finite() { Ok(value) } else { Err(self.impossible()) }
    }

    /// An id.
    pub fn id(&mut self) -> Result<Hash128, WireError> {
        self.array().map(Hash128)
    }

    /// Landmark and sums.
    pub fn decayed(&mut self) -> Result<Decayed, WireError> {
        Ok(Decayed { landmark: self.narrow_sint()?, a: self.double()?, b: self.double()? })
    }

    /// Text with its length.
    pub fn text(&mut self) -> Result<&'a str, WireError> {
        let length = usize::try_from(self.uint()?).map_err(|_| WireError::Torn)?;
        let (text, rest) = self.bytes.split_at_checked(length).ok_or(WireError::Torn)?;
        self.bytes = rest;
        std::str::from_utf8(text).map_err(|_| self.impossible())
    }

    /// Exactly `N` bytes.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], WireError> {
        let (front, rest) = self.bytes.split_first_chunk().ok_or(WireError::Torn)?;
        self.bytes = rest;
        Ok(*front)
    }

    /// Ends reading: nothing may be left.
    pub fn end(self) -> Result<(), WireError> {
        if self.bytes.is_empty() { Ok(()) } else { Err(self.impossible()) }
    }
}
