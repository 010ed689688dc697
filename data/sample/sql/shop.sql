-- The shop that Nell Tarrow might have: invented, CC0. `sqlite3 shop.sqlite < shop.sql` makes the database, or in Python:
-- sqlite3.connect("shop.sqlite").executescript(open("shop.sql").read())

CREATE TABLE customer (
  customer_id INTEGER PRIMARY KEY,
  name TEXT NOT NULL,
  town TEXT,
  country TEXT NOT NULL,
  joined DATE NOT NULL
);
CREATE TABLE coffee (
  coffee_id INTEGER PRIMARY KEY,
  name TEXT NOT NULL,
  origin TEXT NOT NULL,
  process TEXT NOT NULL,
  price REAL NOT NULL,       -- euros a bag
  stock INTEGER NOT NULL     -- bags
);
CREATE TABLE orders (
  order_id INTEGER PRIMARY KEY,
  customer_id INTEGER NOT NULL REFERENCES customer(customer_id),
  ordered DATE NOT NULL,
  status TEXT NOT NULL
);
CREATE TABLE order_line (
  order_id INTEGER NOT NULL REFERENCES orders(order_id),
  coffee_id INTEGER NOT NULL REFERENCES coffee(coffee_id),
  bags INTEGER NOT NULL,
  PRIMARY KEY (order_id, coffee_id)
);

INSERT INTO customer VALUES
  (1, 'Ida Lund', 'Aarhus', 'Denmark', '2023-02-11'),
  (2, 'Bo Claes', 'Ghent', 'Belgium', '2023-03-02'),
  (3, 'Mina Okoro', 'Leeds', 'United Kingdom', '2023-03-19'),
  (4, 'Theo Marsh', 'Leeds', 'United Kingdom', '2023-05-07'),
  (5, 'Anouk Vidal', 'Lyon', 'France', '2023-08-23'),
  (6, 'Pia Sorensen', 'Odense', 'Denmark', '2024-01-15'),
  (7, 'Ravi Menon', NULL, 'United Kingdom', '2024-02-01'),
  (8, 'Greta Holm', 'Aarhus', 'Denmark', '2024-04-30');
INSERT INTO coffee VALUES
  (1, 'Morning Drum', 'Brazil', 'natural', 9.5, 40),
  (2, 'Second Crack', 'Sumatra', 'wet-hulled', 11.0, 12),
  (3, 'Quiet Hour', 'Ethiopia', 'washed', 14.5, 25),
  (4, 'Back Step', 'Colombia', 'washed', 12.0, 0),
  (5, 'Chaff', 'Ethiopia', 'natural', 13.0, 8),
  (6, 'Long Pour', 'Kenya', 'washed', 16.0, 30);
INSERT INTO orders VALUES
  (101, 1, '2024-03-03', 'sent'),
  (102, 2, '2024-03-15', 'sent'),
  (103, 1, '2024-04-02', 'sent'),
  (104, 3, '2024-04-20', 'returned'),
  (105, 4, '2024-05-01', 'sent'),
  (106, 1, '2024-05-09', 'sent'),
  (107, 5, '2024-05-17', 'sent'),
  (108, 6, '2024-05-28', 'open'),
  (109, 3, '2024-06-04', 'open'),
  (110, 2, '2024-06-11', 'open');
INSERT INTO order_line VALUES
  (101, 1, 2), (101, 3, 1), (102, 2, 1), (103, 1, 4), (104, 5, 2), (105, 3, 2), (105, 6, 1),
  (106, 1, 1), (106, 6, 2), (107, 3, 3), (108, 2, 1), (109, 5, 1), (109, 1, 1), (110, 6, 1);
