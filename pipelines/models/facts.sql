-- The warehouse: source facts, the cache of text facts and the run record. Everything else is rebuilt from these each night.
CREATE TABLE IF NOT EXISTS sources (
    source_id VARCHAR PRIMARY KEY, file VARCHAR, kind VARCHAR, format VARCHAR, encoding VARCHAR, mapping VARCHAR,
    reader VARCHAR, bytes BIGINT, n_rows BIGINT, n_stored BIGINT, n_duplicate BIGINT, n_quarantined BIGINT,
    oldest_at TIMESTAMP, newest_at TIMESTAMP, problem VARCHAR
);
CREATE TABLE IF NOT EXISTS quarantine (
    source_id VARCHAR, file VARCHAR, line BIGINT, code VARCHAR, reason VARCHAR, raw VARCHAR
);
CREATE TABLE IF NOT EXISTS fact_messages (
    row_key UUID, content_key UUID, source_id VARCHAR, source_row BIGINT, shop VARCHAR, channel VARCHAR,
    conversation_id VARCHAR, message_id VARCHAR, sent_at TIMESTAMP, sender_kind VARCHAR, agent VARCHAR,
    customer VARCHAR, content_kind VARCHAR, text VARCHAR, extra VARCHAR, is_damaged BOOLEAN
);
ALTER TABLE fact_messages ADD COLUMN IF NOT EXISTS is_damaged BOOLEAN;
-- Only with --keep-raw: what masking changed, as it was written. Never copied into the mart.
CREATE TABLE IF NOT EXISTS raw_texts (source_id VARCHAR, source_row BIGINT, text VARCHAR);
-- Who was forgotten, without saying who: keyed digests of the pseudonym and of their conversations.
CREATE TABLE IF NOT EXISTS erasures (erasure_id VARCHAR PRIMARY KEY, erased_at TIMESTAMP, n_rows VARCHAR, proof VARCHAR);
CREATE TABLE IF NOT EXISTS erased_ids (erasure_id VARCHAR, proof VARCHAR);
CREATE TABLE IF NOT EXISTS fact_orders (
    row_key UUID, content_key UUID, source_id VARCHAR, source_row BIGINT, order_id VARCHAR, parent_order_id VARCHAR,
    shop VARCHAR, channel VARCHAR, customer VARCHAR, created_at TIMESTAMP, paid_at TIMESTAMP, paid_fen BIGINT,
    refunded_fen BIGINT, refund_applied_at TIMESTAMP, refund_finished_at TIMESTAMP, items BIGINT, status VARCHAR,
    extra VARCHAR, line VARCHAR, line_paid_fen BIGINT, product VARCHAR, seller VARCHAR, line_price_fen BIGINT
);
ALTER TABLE fact_orders ADD COLUMN IF NOT EXISTS line VARCHAR;
ALTER TABLE fact_orders ADD COLUMN IF NOT EXISTS line_paid_fen BIGINT;
ALTER TABLE fact_orders ADD COLUMN IF NOT EXISTS product VARCHAR;
ALTER TABLE fact_orders ADD COLUMN IF NOT EXISTS seller VARCHAR;
ALTER TABLE fact_orders ADD COLUMN IF NOT EXISTS line_price_fen BIGINT;
CREATE TABLE IF NOT EXISTS fact_ratings (
    row_key UUID, content_key UUID, source_id VARCHAR, source_row BIGINT, shop VARCHAR, conversation_id VARCHAR,
    customer VARCHAR, agent VARCHAR, invited_at TIMESTAMP, rated_at TIMESTAMP, stars INTEGER, extra VARCHAR,
    order_id VARCHAR
);
ALTER TABLE fact_ratings ADD COLUMN IF NOT EXISTS order_id VARCHAR;
CREATE TABLE IF NOT EXISTS fact_agents (
    row_key UUID, content_key UUID, source_id VARCHAR, source_row BIGINT, shop VARCHAR, agent VARCHAR, name VARCHAR,
    team VARCHAR, "from" DATE, "to" DATE, extra VARCHAR
);
CREATE TABLE IF NOT EXISTS fact_vendor (
    row_key UUID, content_key UUID, source_id VARCHAR, source_row BIGINT, vendor VARCHAR, shop VARCHAR, agent VARCHAR,
    label VARCHAR, day_from DATE, day_to DATE, figures VARCHAR, extra VARCHAR
);
CREATE TABLE IF NOT EXISTS reviews (
    review_id VARCHAR PRIMARY KEY, conversation_id VARCHAR, agent VARCHAR, rule_id VARCHAR, finding_id VARCHAR,
    reviewer VARCHAR, reviewed_at TIMESTAMP, verdict VARCHAR, points DECIMAL(10, 4), note VARCHAR
);
CREATE TABLE IF NOT EXISTS text_facts (
    text_key UUID, model VARCHAR, p_negative DOUBLE, p_neutral DOUBLE, p_positive DOUBLE, is_scored BOOLEAN
);
CREATE TABLE IF NOT EXISTS runs (
    run_id BIGINT PRIMARY KEY, started_at TIMESTAMP, finished_at TIMESTAMP, as_of TIMESTAMP, profile VARCHAR,
    scorecard VARCHAR, rules VARCHAR, model VARCHAR, fingerprint VARCHAR, version VARCHAR, outcome VARCHAR
);
CREATE TABLE IF NOT EXISTS run_files (
    run_id BIGINT, source_id VARCHAR, file VARCHAR, n_rows BIGINT, n_stored BIGINT, n_duplicate BIGINT,
    n_quarantined BIGINT
);
