//! What an ACME authority has given: accounts, certificates, and when it may be asked again. All of it is state: an
//! authority gives only so many a week, so a restart must find it.

use rusqlite::{OptionalExtension, Row, params};

use super::{Store, StoreError, time};
use crate::clock::Timestamp;

/// Bytes that are never shown: no `Display`, and a `Debug` that says nothing.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Vec<u8>);

impl Secret {
    /// Hides `bytes`.
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// The bytes, for whoever needs them to sign with.
    pub fn reveal(&self) -> &[u8] {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// What a certificate is ordered for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// The authority, by the address of its directory.
    pub directory: String,
    /// The names it is for, sorted, with a space between two.
    pub domains: String,
}

/// An account with an authority.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Its address and its key.
    pub credentials: Secret,
    /// The addresses the authority was given, with a space between two.
    pub contact: String,
}

/// A certificate an authority has given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issued {
    /// What it was ordered for.
    pub subject: Subject,
    /// The chain in PEM, the server's own certificate first.
    pub chain: String,
    /// Its private key: PKCS #8, DER.
    pub key: Secret,
    /// When it came.
    pub ordered_at: Timestamp,
}

/// Orders that gave no certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setback {
    /// How many in a row.
    pub failures: u32,
    /// How many of them the authority has counted, too.
    pub refusals: u32,
    /// When the latest was begun.
    pub tried_at: Timestamp,
    /// When the next may be.
    pub next_at: Timestamp,
    /// What was wrong with the latest, and what to do.
    pub words: String,
}

impl Store {
    /// The account with the authority at `directory`.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn account(&self, directory: &str) -> Result<Option<Account>, StoreError> {
        let read = |row: &Row<'_>| Ok(Account { credentials: Secret(row.get(0)?), contact: row.get(1)? });
        Ok(self
            .reader()
            .prepare_cached("SELECT credentials, contact FROM acme_account WHERE directory = ?")?
            .query_row([directory], read)
            .optional()?)
    }

    /// Keeps `account` with the authority at `directory`, in the place of any other; forgets it if it is none.
    ///
    /// # Errors
    /// If the database cannot be written; then nothing has changed.
    pub fn keep_account(&self, directory: &str, account: Option<&Account>) -> Result<(), StoreError> {
        let writer = self.writer();
        match account {
            Some(account) => writer
                .prepare_cached(
                    "INSERT OR REPLACE INTO acme_account (directory, credentials, contact) VALUES (?, ?, ?)",
                )?
                .execute(params![directory, account.credentials.0, account.contact])?,
            None => writer.prepare_cached("DELETE FROM acme_account WHERE directory = ?")?.execute([directory])?,
        };
        Ok(())
    }

    /// The latest certificate, whatever it was ordered for.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn issued(&self) -> Result<Option<Issued>, StoreError> {
        let read = |row: &Row<'_>| {
            Ok(Issued {
                subject: Subject { directory: row.get(0)?, domains: row.get(1)? },
                chain: row.get(2)?,
                key: Secret(row.get(3)?),
                ordered_at: time(row, 4)?,
            })
        };
        Ok(self
            .reader()
            .prepare_cached("SELECT directory, domains, chain, key, ordered_at FROM acme_certificate")?
            .query_row([], read)
            .optional()?)
    }

    /// Keeps `issued` in the place of any other certificate, and forgets the setbacks on the way to it.
    ///
    /// # Errors
    /// If the database cannot be written; then nothing has changed.
    pub fn keep_issued(&self, issued: &Issued) -> Result<(), StoreError> {
        let Issued { subject, chain, key, ordered_at } = issued;
        let mut writer = self.writer();
        let transaction = writer.transaction()?;
        transaction.prepare_cached("DELETE FROM acme_certificate")?.execute([])?;
        transaction
            .prepare_cached(
                "INSERT INTO acme_certificate (directory, domains, chain, key, ordered_at) VALUES (?, ?, ?, ?, ?)",
            )?
            .execute(params![subject.directory, subject.domains, chain, key.0, ordered_at.as_secs()])?;
        transaction
            .prepare_cached("DELETE FROM acme_setback WHERE directory = ? AND domains = ?")?
            .execute([&subject.directory, &subject.domains])?;
        Ok(transaction.commit()?)
    }

    /// What stands in the way of a certificate for `subject`.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn setback(&self, subject: &Subject) -> Result<Option<Setback>, StoreError> {
        let read = |row: &Row<'_>| {
            Ok(Setback {
                failures: row.get(0)?,
                refusals: row.get(1)?,
                tried_at: time(row, 2)?,
                next_at: time(row, 3)?,
                words: row.get(4)?,
            })
        };
        Ok(self.reader()
            .prepare_cached(
                "SELECT failures, refusals, tried_at, next_at, words FROM acme_setback WHERE directory = ? AND domains = ?",
            )?
            .query_row([&subject.directory, &subject.domains], read)
            .optional()?)
    }

    /// Keeps `setback` for `subject`. On the disk when it returns.
    ///
    /// # Errors
    /// If the database cannot be written; then nothing has changed.
    pub fn keep_setback(&self, subject: &Subject, setback: &Setback) -> Result<(), StoreError> {
        self.writer()
            .prepare_cached(
                "INSERT OR REPLACE INTO acme_setback (directory, domains, failures, refusals, tried_at, next_at, words)
                 VALUES (?, ?, ?, ?, ?, ?, ?)",
            )?
            .execute(params![
                subject.directory,
                subject.domains,
                setback.failures,
                setback.refusals,
                setback.tried_at.as_secs(),
                setback.next_at.as_secs(),
                setback.words,
            ])?;
        Ok(())
    }
}
