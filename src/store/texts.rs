//! Texts as they are stored: compressed, and checked against their digest when they are read.

use super::StoreError;

/// Calendars repeat themselves: level 3 stores a tenth of their size at hundreds of megabytes a second.
const LEVEL: i32 = 3;

pub(super) fn pack(text: &[u8]) -> Result<Vec<u8>, StoreError> {
    let length = (text.len() as u64).to_le_bytes();
    let mut packed = length.to_vec();
    packed.extend(zstd::bulk::compress(text, LEVEL).map_err(|_| StoreError::DamagedCopy)?);
    Ok(packed)
}

pub(super) fn unpack(packed: &[u8], digest: &[u8; 32]) -> Result<Vec<u8>, StoreError> {
    let (length, packed) = packed.split_at_checked(8).ok_or(StoreError::DamagedCopy)?;
    let length = length.try_into().map(u64::from_le_bytes).unwrap_or_default();
    // A damaged length must not ask for all memory there is.
    let length = usize::try_from(length).ok().filter(|length| *length <= 1 << 32).ok_or(StoreError::DamagedCopy)?;
    let text = zstd::bulk::decompress(packed, length).map_err(|_| StoreError::DamagedCopy)?;
    if blake3::hash(&text).as_bytes() == digest { Ok(text) } else { Err(StoreError::DamagedCopy) }
}
