package throughline.peers.flink;

import java.io.Serializable;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.Map;

/**
 * What the program is started with, {@code --name value} each.
 *
 * @param brokers {@code host:port}
 * @param application id, consumer group and start of transactional ids
 * @param source topic of Segment calls
 * @param scores topic of score records
 * @param tenant part of every id
 * @param key 32-byte hash key, in hex digits on the command line
 * @param threads parallelism of the job
 * @param rocksdb whether state is on disk rather than on the heap
 * @param commitMillis interval of snapshots in milliseconds
 * @param set settings of the engine that go before ours, {@code --set name=value} each
 * @param folder where snapshots and state on disk go
 */
record Options(
        String brokers,
        String application,
        String source,
        String scores,
        String tenant,
        byte[] key,
        int threads,
        boolean rocksdb,
        long commitMillis,
        Map<String, String> set,
        String folder) implements Serializable {

    static Options parse(String[] arguments) {
        Map<String, String> given = new HashMap<>();
        Map<String, String> set = new HashMap<>();
        for (int at = 0; at + 1 < arguments.length; at += 2) {
            String value = arguments[at + 1];
            if (arguments[at].equals("--set")) {
                int equals = value.indexOf('=');
                set.put(value.substring(0, equals), value.substring(equals + 1));
            } else {
                given.put(arguments[at], value);
            }
        }
        return new Options(
                need(given, "--brokers"),
                need(given, "--application"),
                need(given, "--source"),
                need(given, "--scores"),
                need(given, "--tenant"),
                HexFormat.of().parseHex(need(given, "--key")),
                Integer.parseInt(need(given, "--threads")),
                need(given, "--store").equals("rocksdb"),
                Long.parseLong(need(given, "--commit-ms")),
                set,
                need(given, "--folder"));
    }

    private static String need(Map<String, String> given, String name) {
        String value = given.get(name);
        if (value == null) {
            throw new IllegalArgumentException(name + " is missing");
        }
        return value;
    }
}
