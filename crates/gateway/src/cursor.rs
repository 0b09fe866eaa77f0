//! Places in lists, as clients carry them: opaque, and good for the list they came from alone.

use std::sync::Arc;

use crate::sealed::{
    NotOurs, Purpose, SealError, Sealer,
    codec::{Reader, Writer},
};

/// The list that a place is in. Its place opens next to the very same list alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Listed<'a> {
    pub(crate) principal: &'a str,
    /// The method that lists.
    pub(crate) method: &'a str,
    /// Grows whenever the list is another one.
    pub(crate) generation: u64,
}

/// Where the next page begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// Behind so many items of ours.
    Offset(u64),
    /// Where an upstream says; the empty text is a place too.
    Upstream {
        /// The link.
        link: u64,
        /// Its own cursor.
        cursor: String,
    },
}

/// Seals places, and finds them again.
#[derive(Clone, Debug)]
pub(crate) struct Cursors(Arc<Sealer>);

impl Cursors {
    pub(crate) fn new(sealer: Arc<Sealer>) -> Self {
        Self(sealer)
    }

    /// A place as its client carries it.
    pub(crate) fn seal(&self, listed: &Listed<'_>, place: &Place) -> Result<String, SealError> {
        let mut writer = Writer::default();
        match place {
            Place::Offset(offset) => {
                writer.optional(None);
                writer.number(*offset);
            }
            Place::Upstream { link, cursor } => {
                writer.optional(Some(cursor.as_bytes()));
                writer.number(*link);
            }
        }
        let generation = listed.generation.to_be_bytes();
        let plain = writer.into_bytes();
        self.0
            .seal(Purpose::Cursor, &bound(listed, &generation), plain)
    }

    /// Finds a place again.
    pub(crate) fn open(&self, listed: &Listed<'_>, cursor: &str) -> Result<Place, NotOurs> {
        let generation = listed.generation.to_be_bytes();
        let opened = self
            .0
            .open(Purpose::Cursor, &bound(listed, &generation), cursor)?;
        read(&opened.plain).ok_or(NotOurs)
    }

    /// One page of a list that is ours, and where the next begins; from the start without a cursor.
    pub(crate) fn page<'a, T>(
        &self,
        listed: &Listed<'_>,
        (items, size): (&'a [T], usize),
        cursor: Option<&str>,
    ) -> Result<(&'a [T], Option<String>), PageError> {
        let offset = match cursor.map(|cursor| self.open(listed, cursor)).transpose()? {
            None => 0,
            Some(Place::Offset(offset)) => usize::try_from(offset).map_err(|_| NotOurs)?,
            Some(Place::Upstream { .. }) => return Err(NotOurs.into()),
        };
        let rest = items.get(offset..).ok_or(NotOurs)?;
        let Some((page, more)) = rest.split_at_checked(size.max(1)) else {
            return Ok((rest, None));
        };
        if more.is_empty() {
            return Ok((page, None));
        }
        let next = offset.saturating_add(page.len());
        let next = Place::Offset(u64::try_from(next).unwrap_or(u64::MAX));
        Ok((page, Some(self.seal(listed, &next)?)))
    }
}

/// Why there is no page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PageError {
    /// The cursor.
    #[error(transparent)]
    Cursor(#[from] NotOurs),
    /// The next cursor could not be made.
    #[error(transparent)]
    Seal(#[from] SealError),
}

fn bound<'a>(listed: &Listed<'a>, generation: &'a [u8; 8]) -> [&'a [u8]; 3] {
    let (principal, method) = (listed.principal.as_bytes(), listed.method.as_bytes());
    [principal, method, generation]
}

fn read(plain: &[u8]) -> Option<Place> {
    let mut reader = Reader::new(plain);
    let cursor = reader.optional()?;
    let number = reader.number()?;
    let place = match cursor {
        None => Place::Offset(number),
        Some(cursor) => Place::Upstream {
            link: number,
            cursor: String::from_utf8(cursor.to_vec()).ok()?,
        },
    };
    reader.is_empty().then_some(place)
}

#[cfg(test)]
mod tests;
