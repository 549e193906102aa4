-- A small shop: 2,000 customers, 5,000 orders, 4,000 payments. The same on every run.
SELECT setseed(0.42);

CREATE TABLE customers (
    id         integer PRIMARY KEY,
    name       text NOT NULL,
    email      text NOT NULL UNIQUE,
    city       text NOT NULL,
    joined     date NOT NULL
);

CREATE TABLE orders (
    id          integer PRIMARY KEY,
    customer_id integer NOT NULL REFERENCES customers (id),
    placed      timestamptz NOT NULL,
    item        text NOT NULL,
    quantity    integer NOT NULL CHECK (quantity > 0),
    total       numeric(10, 2) NOT NULL,
    status      text NOT NULL
);

CREATE TABLE payments (
    id       integer PRIMARY KEY,
    order_id integer NOT NULL UNIQUE REFERENCES orders (id),
    method   text NOT NULL,
    card     text,
    amount   numeric(10, 2) NOT NULL,
    paid     timestamptz NOT NULL
);

INSERT INTO customers
SELECT i, first || ' ' || last, lower(first) || '.' || lower(last) || i || '@example.com', city,
       date '2022-01-01' + (random() * 1600)::int
FROM (SELECT i,
             (ARRAY['Ada', 'Ben', 'Chiara', 'Deniz', 'Elif', 'Femi', 'Grace', 'Hana', 'Ivan', 'Jun', 'Kofi', 'Lena',
                    'Mateo', 'Nia', 'Omar', 'Priya', 'Quinn', 'Rosa', 'Sven', 'Tara'])[1 + i % 20] AS first,
             (ARRAY['Adler', 'Bauer', 'Costa', 'Dubois', 'Eriksen', 'Fischer', 'Garcia', 'Haddad', 'Ito', 'Jansen',
                    'Kowalski', 'Lopez', 'Mbeki', 'Novak', 'Okafor', 'Patel', 'Rossi'])[1 + (i * 7) % 17] AS last,
             (ARRAY['Berlin', 'Lisbon', 'Lagos', 'Kyoto', 'Austin', 'Oslo', 'Lyon', 'Pune'])[1 + (i * 5) % 8] AS city
      FROM generate_series(1, 2000) AS i) AS people;

INSERT INTO orders
SELECT i, 1 + (random() * 1999)::int, timestamptz '2026-01-01 08:00+00' + random() * interval '320 days',
       item, quantity, price * quantity,
       (ARRAY['delivered', 'delivered', 'delivered', 'delivered', 'shipped', 'open', 'returned'])[1 + i % 7]
FROM (SELECT i, 1 + (random() * 3)::int AS quantity,
             (ARRAY['kettle', 'desk lamp', 'notebook', 'bicycle bell', 'coffee', 'backpack'])[1 + i % 6] AS item,
             (ARRAY[39.90, 24.50, 3.80, 12.00, 8.75, 79.00])[1 + i % 6]::numeric AS price
      FROM generate_series(1, 5000) AS i) AS baskets;

INSERT INTO payments
SELECT row_number() OVER (ORDER BY id), id, method,
       CASE WHEN method = 'card' THEN '4242 **** **** ' || lpad(((id * 37) % 10000)::text, 4, '0') END,
       total, placed + interval '5 minutes'
FROM (SELECT *, (ARRAY['card', 'card', 'card', 'transfer', 'voucher'])[1 + id % 5] AS method
      FROM orders ORDER BY id LIMIT 4000) AS settled;

ANALYZE customers;
ANALYZE orders;
ANALYZE payments;
