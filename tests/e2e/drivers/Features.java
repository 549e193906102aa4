// JDBC: a protocol implementation of its own. `java -cp postgresql.jar Features.java PORT`; see features.py for the form.
import java.io.StringReader;
import java.io.StringWriter;
import java.math.BigDecimal;
import java.nio.charset.StandardCharsets;
import java.sql.Array;
import java.sql.BatchUpdateException;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Savepoint;
import java.sql.Statement;
import java.time.OffsetDateTime;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.postgresql.PGConnection;
import org.postgresql.PGNotification;
import org.postgresql.PGResultSetMetaData;
import org.postgresql.core.Field;
import org.postgresql.util.PSQLException;

public class Features {
    interface Feature { void run(Connection link) throws Exception; }
    interface Act { void run() throws Exception; }

    static final int BIG = 16 << 20;
    static String port;

    static Connection open(String more) throws SQLException {
        return DriverManager.getConnection("jdbc:postgresql://127.0.0.1:" + port
            + "/whatever?user=whoever&sslmode=disable&gssEncMode=disable" + more);
    }

    static void expect(boolean condition, Object what) {
        if (!condition) throw new AssertionError(what);
    }

    static SQLException refused(String state, Act act) throws Exception {
        try {
            act.run();
        } catch (SQLException fault) {
            expect(state.equals(fault.getSQLState()), fault);
            return fault;
        }
        throw new AssertionError("no " + state);
    }

    static Object one(Connection link, String sql, Object... values) throws SQLException {
        try (PreparedStatement statement = link.prepareStatement(sql)) {
            for (int i = 0; i < values.length; i++) statement.setObject(i + 1, values[i]);
            try (ResultSet rows = statement.executeQuery()) {
                rows.next();
                return rows.getObject(1);
            }
        }
    }

    static void execute(Connection link, String sql) throws SQLException {
        try (Statement statement = link.createStatement()) { statement.execute(sql); }
    }

    static long count(Connection link) throws SQLException { return (Long) one(link, "select count(*) from driver_rows"); }

    static void prepared(Connection link) throws Exception {
        try (PreparedStatement plus = link.prepareStatement("select ?::int + 1")) { // by name from the fifth time on
            for (int n = 0; n < 20; n++) {
                plus.setInt(1, n);
                try (ResultSet rows = plus.executeQuery()) { expect(rows.next() && rows.getInt(1) == n + 1, n); }
            }
        }
        try (PreparedStatement divide = link.prepareStatement("select 1 / ?::int")) {
            for (int n = 0; n < 10; n++) {
                divide.setInt(1, 0);
                refused("22012", divide::executeQuery);
            }
        }
    }

    static void pipeline(Connection link) throws Exception {
        link.setAutoCommit(false);
        try (PreparedStatement insert = link.prepareStatement("insert into driver_rows (id, name) values (?, ?)")) {
            for (int n = 0; n < 1000; n++) {
                insert.setInt(1, n);
                insert.setString(2, "ü" + n);
                insert.addBatch();
            }
            expect(Arrays.stream(insert.executeBatch()).allMatch(n -> n == 1), "every row");
            expect(count(link) == 1000, count(link));
            link.rollback();
            for (int n : new int[] {1, 2, 1}) {
                insert.setInt(1, n);
                insert.setString(2, null);
                insert.addBatch();
            }
            BatchUpdateException fault = (BatchUpdateException) refused("23505", insert::executeBatch);
            expect(fault.getUpdateCounts().length == 3, fault);
        }
        link.rollback();
        expect(count(link) == 0, count(link));
    }

    static void binary(Connection link) throws Exception {
        byte[] all = new byte[256];
        for (int n = 0; n < 256; n++) all[n] = (byte) n;
        try (Connection at = open("&prepareThreshold=-1&binaryTransfer=true");
             PreparedStatement s = at.prepareStatement("select ?::int4, ?::bytea, 0.5::float8, 7::int8")) {
            s.setInt(1, 42);
            s.setBytes(2, all);
            try (ResultSet rows = s.executeQuery()) {
                expect(rows.next() && rows.getInt(1) == 42 && Arrays.equals(rows.getBytes(2), all) && rows.getDouble(3) == 0.5, "values");
                expect(((PGResultSetMetaData) rows.getMetaData()).getFormat(1) == Field.BINARY_FORMAT, "the form");
            }
        }
    }

    static void copy_out(Connection link) throws Exception {
        StringWriter out = new StringWriter();
        long rows = link.unwrap(PGConnection.class).getCopyAPI().copyOut("copy (select g, 'ü' from generate_series(1, 5000) g) to stdout", out);
        StringBuilder wanted = new StringBuilder();
        for (int n = 1; n <= 5000; n++) wanted.append(n).append("\tü\n");
        expect(rows == 5000 && wanted.toString().equals(out.toString()), rows);
    }

    static void copy_in(Connection link) throws Exception {
        link.setAutoCommit(false);
        StringBuilder text = new StringBuilder();
        for (int n = 0; n < 5000; n++) text.append(n).append("\tn").append(n).append('\n');
        var copy = link.unwrap(PGConnection.class).getCopyAPI();
        expect(copy.copyIn("copy driver_rows (id, name) from stdin", new StringReader(text.toString())) == 5000, "rows");
        expect(count(link) == 5000, count(link));
        link.rollback();
        refused("22P02", () -> copy.copyIn("copy driver_rows (id, name) from stdin", new StringReader("no number\tx\n")));
        link.rollback();
        expect(count(link) == 0, count(link));
    }

    static void cancel(Connection link) throws Exception {
        try (Statement statement = link.createStatement()) {
            Thread other = new Thread(() -> {
                try {
                    Thread.sleep(300);
                    statement.cancel();
                } catch (Exception fault) {
                    fault.printStackTrace();
                }
            });
            other.start();
            refused("57014", () -> statement.execute("select pg_sleep(30)"));
            other.join();
            statement.setQueryTimeout(1);
            refused("57014", () -> statement.execute("select pg_sleep(30)"));
        }
        expect((Integer) one(link, "select 1") == 1, "afterwards");
    }

    static void notify(Connection link) throws Exception {
        execute(link, "listen driver_news");
        try (Connection other = open("")) {
            execute(other, "notify driver_news, 'it rains'");
            PGNotification[] notes = link.unwrap(PGConnection.class).getNotifications(10000);
            expect(notes.length == 1 && notes[0].getParameter().equals("it rains"), notes.length);
            expect(notes[0].getPID() == other.unwrap(PGConnection.class).getBackendPID(), notes[0].getPID());
        }
    }

    static void cursor(Connection link) throws Exception {
        link.setAutoCommit(false);
        try (PreparedStatement statement = link.prepareStatement("select generate_series(1, ?)")) {
            statement.setFetchSize(100); // a portal that is suspended
            statement.setInt(1, 3000);
            int n = 0;
            try (ResultSet rows = statement.executeQuery()) { while (rows.next()) expect(rows.getInt(1) == ++n, n); }
            expect(n == 3000, n);
        }
        link.commit();
    }

    static void large_object(Connection link) throws Exception {
        byte[] bytes = "\0large\u00ff".getBytes(StandardCharsets.ISO_8859_1);
        Object number = one(link, "select lo_from_bytea(0, ?)", (Object) bytes);
        expect(Arrays.equals((byte[]) one(link, "select lo_get(?::oid)", number), bytes), "the same bytes");
        refused("42501", () -> one(link, "select lo_unlink(?::oid)", number));
        link.setAutoCommit(false); // its own interface calls functions by number
        PSQLException fault = (PSQLException) refused("42501", () -> link.unwrap(PGConnection.class).getLargeObjectAPI().createLO());
        expect(fault.getMessage().contains("SELECT"), fault);
        link.rollback();
        expect((Integer) one(link, "select 1") == 1, "afterwards");
    }

    static void transaction(Connection link) throws Exception {
        link.setAutoCommit(false);
        execute(link, "insert into driver_rows (id) values (1)");
        Savepoint savepoint = link.setSavepoint("s");
        PSQLException fault = (PSQLException) refused("23505", () -> execute(link, "insert into driver_rows (id) values (1)"));
        expect("driver_rows_pkey".equals(fault.getServerErrorMessage().getConstraint()), fault);
        refused("25P02", () -> execute(link, "select 1"));
        link.rollback(savepoint);
        expect(count(link) == 1, "kept");
        link.rollback();
        expect(count(link) == 0, "rolled back");
        try (Connection at = open("&autosave=always")) { // a savepoint before each statement
            at.setAutoCommit(false);
            execute(at, "insert into driver_rows (id) values (1)");
            refused("22012", () -> execute(at, "select 1/0"));
            expect(count(at) == 1, "the driver went back to its savepoint");
            at.rollback();
        }
    }

    static void values(Connection link) throws Exception {
        String sql = "select array[1, 2, null]::int[], '{\"k\": [1, \"ü\", null]}'::jsonb::text, 12345678901234567890.0123456789::numeric,"
            + " timestamptz '2026-01-02 03:04:05.678901+00', '\\x00ff10'::bytea, true, 1.5::float8, 9007199254740993::bigint, null::text";
        OffsetDateTime at = OffsetDateTime.parse("2026-01-02T03:04:05.678901Z");
        for (int n = 0; n < 8; n++) { // text first, then binary
            try (PreparedStatement statement = link.prepareStatement(sql); ResultSet row = statement.executeQuery()) {
                row.next();
                expect(Arrays.equals((Integer[]) row.getArray(1).getArray(), new Integer[] {1, 2, null}), "ints");
                expect(row.getString(2).equals("{\"k\": [1, \"ü\", null]}"), row.getString(2));
                expect(row.getBigDecimal(3).equals(new BigDecimal("12345678901234567890.0123456789")), row.getBigDecimal(3));
                expect(row.getObject(4, OffsetDateTime.class).isEqual(at), row.getObject(4));
                expect(Arrays.equals(row.getBytes(5), new byte[] {0, (byte) 255, 16}), "raw");
                expect(row.getBoolean(6) && row.getDouble(7) == 1.5 && row.getLong(8) == 9007199254740993L && row.getString(9) == null, "rest");
            }
            Array ints = link.createArrayOf("int4", new Integer[] {1, 2, null});
            expect((Boolean) one(link, "select ?::int[] is not distinct from array[1, 2, null]", ints), "ints back");
            expect((Boolean) one(link, "select ?::timestamptz = timestamptz '2026-01-02 03:04:05.678901+00'", at), "at back");
            expect((Boolean) one(link, "select ? = 12345678901234567890.0123456789", new BigDecimal("12345678901234567890.0123456789")), "n back");
        }
    }

    static void big_cell(Connection link) throws Exception {
        String text = (String) one(link, "select repeat('0123456789abcdef', ?)", BIG / 16);
        expect(text.equals("0123456789abcdef".repeat(BIG / 16)), text.length());
        byte[] bytes = new byte[BIG];
        Arrays.fill(bytes, (byte) 0x81);
        expect(Arrays.equals(bytes, (byte[]) one(link, "select ?::bytea", (Object) bytes)), "bytes");
    }

    static void wide(Connection link) throws Exception {
        for (int again = 0; again < 6; again++) {
            try (PreparedStatement statement = link.prepareStatement("select * from driver_wide"); ResultSet row = statement.executeQuery()) {
                expect(row.next() && row.getMetaData().getColumnCount() == 1600, row.getMetaData().getColumnCount());
                for (int n = 0; n < 1600; n++) expect(row.getInt(n + 1) == n, n);
            }
        }
    }

    static void refusal(Connection link) throws Exception {
        PSQLException fault = (PSQLException) refused("42501", () -> execute(link, "drop table driver_rows"));
        expect(fault.getServerErrorMessage().getMessage().contains("no-drop"), fault);
        expect(fault.getServerErrorMessage().getDetail().contains("code=denied"), fault);
        link.setAutoCommit(false);
        execute(link, "insert into driver_rows (id) values (1)");
        refused("42501", () -> execute(link, "delete from driver_rows"));
        refused("25P02", () -> one(link, "select 1"));
        link.rollback();
        expect((Integer) one(link, "select ?::int", 2) == 2, "afterwards");
        expect(count(link) == 0, "nothing of it stays");
    }

    static void metadata(Connection link) throws Exception {
        var about = link.getMetaData();
        List<String> names = new ArrayList<>();
        try (ResultSet rows = about.getColumns(null, "public", "driver_rows", null)) {
            while (rows.next()) names.add(rows.getString("COLUMN_NAME"));
        }
        expect(names.equals(List.of("id", "name", "n", "at", "tags", "doc", "raw")), names);
        try (ResultSet rows = about.getPrimaryKeys(null, "public", "driver_rows")) {
            expect(rows.next() && rows.getString("COLUMN_NAME").equals("id"), "key");
        }
        try (ResultSet rows = about.getTables(null, "public", "driver%", new String[] {"TABLE"})) { expect(rows.next(), "tables"); }
        try (ResultSet rows = about.getIndexInfo(null, "public", "driver_rows", true, true)) { expect(rows.next(), "index"); }
        try (ResultSet rows = about.getTypeInfo()) { expect(rows.next(), "types"); }
        expect(about.getDatabaseMajorVersion() >= 15, about.getDatabaseMajorVersion());
    }

    public static void main(String[] words) {
        port = words[0];
        Map<String, Feature> features = new LinkedHashMap<>();
        features.put("prepared", Features::prepared);
        features.put("pipeline", Features::pipeline);
        features.put("binary", Features::binary);
        features.put("copy_out", Features::copy_out);
        features.put("copy_in", Features::copy_in);
        features.put("cancel", Features::cancel);
        features.put("notify", Features::notify);
        features.put("cursor", Features::cursor);
        features.put("large_object", Features::large_object);
        features.put("transaction", Features::transaction);
        features.put("values", Features::values);
        features.put("big_cell", Features::big_cell);
        features.put("wide", Features::wide);
        features.put("refusal", Features::refusal);
        features.put("metadata", Features::metadata);
        features.forEach((name, feature) -> {
            try (Connection link = open("")) {
                feature.run(link);
                System.out.println("ok " + name);
            } catch (Throwable fault) {
                fault.printStackTrace();
                System.out.println("FAIL " + name + ": " + String.valueOf(fault).replace('\n', ' '));
            }
        });
    }
}
