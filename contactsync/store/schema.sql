CREATE TABLE account (
    id INTEGER NOT NULL,
    name TEXT NOT NULL,
    connector TEXT NOT NULL,
    books_read_at DATETIME,
    ran_at DATETIME,
    quiet_run INTEGER,
    next_due DATETIME,
    failures INTEGER NOT NULL,
    state TEXT NOT NULL,
    message TEXT NOT NULL,
    rules TEXT NOT NULL,
    CONSTRAINT pk_account PRIMARY KEY (id),
    CONSTRAINT uq_account_name UNIQUE (name)
);

CREATE TABLE blob (
    sha256 TEXT NOT NULL,
    media_type TEXT NOT NULL,
    data BLOB NOT NULL,
    CONSTRAINT pk_blob PRIMARY KEY (sha256)
);

CREATE TABLE contact (
    id INTEGER NOT NULL,
    uid TEXT NOT NULL,
    hash TEXT NOT NULL,
    held TEXT NOT NULL,
    held_for TEXT NOT NULL,
    merged_into INTEGER,
    created_at DATETIME NOT NULL,
    updated_at DATETIME NOT NULL,
    deleted_at DATETIME,
    display TEXT NOT NULL,
    sort_key TEXT NOT NULL,
    search TEXT NOT NULL,
    doc TEXT NOT NULL,
    times TEXT NOT NULL,
    CONSTRAINT pk_contact PRIMARY KEY (id),
    CONSTRAINT uq_contact_uid UNIQUE (uid),
    CONSTRAINT fk_contact_merged_into FOREIGN KEY(merged_into) REFERENCES contact (id) ON DELETE SET NULL
);

CREATE INDEX ix_contact_live ON contact (deleted_at, sort_key, uid, held, search);

CREATE INDEX ix_contact_merged_into ON contact (merged_into);

CREATE INDEX ix_contact_step ON contact (deleted_at, hash);

CREATE TABLE contact_group (
    id TEXT NOT NULL,
    name TEXT NOT NULL,
    updated_at DATETIME NOT NULL,
    deleted_at DATETIME,
    CONSTRAINT pk_contact_group PRIMARY KEY (id)
);

CREATE TABLE run (
    id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL,
    account TEXT NOT NULL,
    started_at DATETIME NOT NULL,
    ended_at DATETIME,
    outcome TEXT NOT NULL,
    report TEXT NOT NULL
);

CREATE TABLE alias (
    uid TEXT NOT NULL,
    contact_id INTEGER NOT NULL,
    CONSTRAINT pk_alias PRIMARY KEY (uid),
    CONSTRAINT fk_alias_contact_id FOREIGN KEY(contact_id) REFERENCES contact (id) ON DELETE CASCADE
);

CREATE INDEX ix_alias_contact_id ON alias (contact_id);

CREATE TABLE apart (
    contact_id INTEGER NOT NULL,
    other_id INTEGER NOT NULL,
    CONSTRAINT pk_apart PRIMARY KEY (contact_id, other_id),
    CONSTRAINT fk_apart_contact_id FOREIGN KEY(contact_id) REFERENCES contact (id) ON DELETE CASCADE,
    CONSTRAINT fk_apart_other_id FOREIGN KEY(other_id) REFERENCES contact (id) ON DELETE CASCADE
);

CREATE INDEX ix_apart_other_id ON apart (other_id);

CREATE TABLE collection (
    id INTEGER NOT NULL,
    account_id INTEGER NOT NULL,
    href TEXT NOT NULL,
    name TEXT NOT NULL,
    writable BOOLEAN NOT NULL,
    shared BOOLEAN NOT NULL,
    is_default BOOLEAN NOT NULL,
    selected BOOLEAN NOT NULL,
    cursor TEXT,
    cursor_at DATETIME,
    backed_up_at DATETIME,
    gone_at DATETIME,
    CONSTRAINT pk_collection PRIMARY KEY (id),
    CONSTRAINT uq_collection_account_id_href UNIQUE (account_id, href),
    CONSTRAINT fk_collection_account_id FOREIGN KEY(account_id) REFERENCES account (id) ON DELETE CASCADE
);

CREATE TABLE imported (
    source TEXT NOT NULL,
    "key" TEXT NOT NULL,
    hash TEXT NOT NULL,
    contact_id INTEGER NOT NULL,
    doc TEXT NOT NULL,
    CONSTRAINT pk_imported PRIMARY KEY (source, "key"),
    CONSTRAINT fk_imported_contact_id FOREIGN KEY(contact_id) REFERENCES contact (id) ON DELETE CASCADE
);

CREATE INDEX ix_imported_contact_id ON imported (contact_id);

CREATE TABLE "conflict" (
    id INTEGER NOT NULL,
    contact_id INTEGER NOT NULL,
    collection_id INTEGER,
    path TEXT NOT NULL,
    base TEXT NOT NULL,
    local TEXT NOT NULL,
    remote TEXT NOT NULL,
    winner TEXT NOT NULL,
    status TEXT NOT NULL,
    run_id INTEGER,
    at DATETIME NOT NULL,
    local_at DATETIME,
    remote_at DATETIME,
    CONSTRAINT pk_conflict PRIMARY KEY (id),
    CONSTRAINT fk_conflict_contact_id FOREIGN KEY(contact_id) REFERENCES contact (id) ON DELETE CASCADE,
    CONSTRAINT fk_conflict_collection_id FOREIGN KEY(collection_id) REFERENCES collection (id) ON DELETE SET NULL,
    CONSTRAINT fk_conflict_run_id FOREIGN KEY(run_id) REFERENCES run (id) ON DELETE SET NULL
);

CREATE INDEX ix_conflict_contact_id ON "conflict" (contact_id);

CREATE INDEX ix_conflict_run_id ON "conflict" (run_id);

CREATE INDEX ix_conflict_status ON "conflict" (status);

CREATE TABLE group_card (
    group_id TEXT NOT NULL,
    collection_id INTEGER NOT NULL,
    href TEXT NOT NULL,
    etag TEXT,
    uid TEXT NOT NULL,
    base TEXT NOT NULL,
    shown TEXT NOT NULL,
    lost TEXT NOT NULL,
    refused TEXT NOT NULL,
    original BLOB NOT NULL,
    CONSTRAINT pk_group_card PRIMARY KEY (group_id, collection_id),
    CONSTRAINT fk_group_card_group_id FOREIGN KEY(group_id) REFERENCES contact_group (id) ON DELETE CASCADE,
    CONSTRAINT fk_group_card_collection_id FOREIGN KEY(collection_id) REFERENCES collection (id) ON DELETE CASCADE
);

CREATE INDEX ix_group_card_collection_id ON group_card (collection_id);

CREATE TABLE group_link (
    group_id TEXT NOT NULL,
    collection_id INTEGER NOT NULL,
    base_name TEXT NOT NULL,
    href TEXT NOT NULL,
    etag TEXT,
    CONSTRAINT pk_group_link PRIMARY KEY (group_id, collection_id),
    CONSTRAINT fk_group_link_group_id FOREIGN KEY(group_id) REFERENCES contact_group (id) ON DELETE CASCADE,
    CONSTRAINT fk_group_link_collection_id FOREIGN KEY(collection_id) REFERENCES collection (id) ON DELETE CASCADE
);

CREATE INDEX ix_group_link_collection_id ON group_link (collection_id);

CREATE TABLE link (
    id INTEGER NOT NULL,
    contact_id INTEGER NOT NULL,
    collection_id INTEGER NOT NULL,
    href TEXT NOT NULL,
    etag TEXT,
    state TEXT NOT NULL,
    card_uid TEXT NOT NULL,
    base_hash TEXT NOT NULL,
    written_at DATETIME,
    deleted_at DATETIME,
    reason TEXT NOT NULL,
    lost TEXT NOT NULL,
    base_local TEXT NOT NULL,
    base_remote TEXT NOT NULL,
    original BLOB NOT NULL,
    CONSTRAINT pk_link PRIMARY KEY (id),
    CONSTRAINT uq_link_collection_id_href UNIQUE (collection_id, href),
    CONSTRAINT fk_link_contact_id FOREIGN KEY(contact_id) REFERENCES contact (id),
    CONSTRAINT fk_link_collection_id FOREIGN KEY(collection_id) REFERENCES collection (id) ON DELETE CASCADE
);

CREATE INDEX ix_link_contact_id ON link (contact_id);

CREATE INDEX ix_link_lost ON link (lost) WHERE lost != '';

CREATE INDEX ix_link_step ON link (collection_id, state, base_hash, contact_id);

CREATE INDEX ix_link_written ON link (collection_id, written_at);

CREATE TABLE outside (
    collection_id INTEGER NOT NULL,
    href TEXT NOT NULL,
    etag TEXT,
    payload BLOB NOT NULL,
    CONSTRAINT pk_outside PRIMARY KEY (collection_id, href),
    CONSTRAINT fk_outside_collection_id FOREIGN KEY(collection_id) REFERENCES collection (id) ON DELETE CASCADE
);

CREATE TABLE quarantine (
    id INTEGER NOT NULL,
    collection_id INTEGER,
    source TEXT NOT NULL,
    href TEXT NOT NULL,
    contact_id INTEGER,
    etag TEXT,
    hash TEXT NOT NULL,
    payload BLOB NOT NULL,
    name TEXT NOT NULL,
    reason TEXT NOT NULL,
    at DATETIME NOT NULL,
    CONSTRAINT pk_quarantine PRIMARY KEY (id),
    CONSTRAINT uq_quarantine_collection_id_href_contact_id UNIQUE (collection_id, href, contact_id),
    CONSTRAINT fk_quarantine_collection_id FOREIGN KEY(collection_id) REFERENCES collection (id) ON DELETE CASCADE,
    CONSTRAINT fk_quarantine_contact_id FOREIGN KEY(contact_id) REFERENCES contact (id) ON DELETE CASCADE
);

CREATE INDEX ix_quarantine_contact_id ON quarantine (contact_id);

CREATE TABLE staged (
    id INTEGER NOT NULL,
    collection_id INTEGER NOT NULL,
    href TEXT NOT NULL,
    etag TEXT,
    payload BLOB,
    gone BOOLEAN NOT NULL,
    modified_at DATETIME,
    CONSTRAINT pk_staged PRIMARY KEY (id),
    CONSTRAINT uq_staged_collection_id_href UNIQUE (collection_id, href),
    CONSTRAINT fk_staged_collection_id FOREIGN KEY(collection_id) REFERENCES collection (id) ON DELETE CASCADE
);

CREATE TABLE journal (
    id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    run_id INTEGER NOT NULL,
    contact_id INTEGER,
    collection_id INTEGER,
    link_id INTEGER,
    side TEXT NOT NULL,
    action TEXT NOT NULL,
    state TEXT NOT NULL,
    at DATETIME NOT NULL,
    sent_at DATETIME,
    href TEXT NOT NULL,
    etag TEXT,
    note TEXT NOT NULL,
    detail TEXT NOT NULL,
    "before" TEXT NOT NULL,
    "after" TEXT NOT NULL,
    sent_local TEXT NOT NULL,
    payload BLOB,
    CONSTRAINT fk_journal_run_id FOREIGN KEY(run_id) REFERENCES run (id),
    CONSTRAINT fk_journal_contact_id FOREIGN KEY(contact_id) REFERENCES contact (id),
    CONSTRAINT fk_journal_collection_id FOREIGN KEY(collection_id) REFERENCES collection (id) ON DELETE SET NULL,
    CONSTRAINT fk_journal_link_id FOREIGN KEY(link_id) REFERENCES link (id) ON DELETE SET NULL
);

CREATE INDEX ix_journal_at ON journal (at);

CREATE INDEX ix_journal_contact_id ON journal (contact_id);

CREATE INDEX ix_journal_link_id ON journal (link_id);

CREATE INDEX ix_journal_outbox ON journal (collection_id, state);

CREATE INDEX ix_journal_run_id ON journal (run_id);

