package throughline.peers.streams;

import java.util.Map;
import java.util.Properties;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.kstream.Repartitioned;
import org.apache.kafka.streams.state.KeyValueBytesStoreSupplier;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.StoreBuilder;
import org.apache.kafka.streams.state.Stores;
import throughline.peers.job.Customer;
import throughline.peers.job.CustomerCodec;
import throughline.peers.job.Touchpoint;

/** The score job on Kafka Streams: two hops, exactly once. Runs until it is stopped. */
public final class Main {
    static final String CUSTOMERS = "customers";

    private Main() {}

    /** Runs the job; see {@link Options} for the arguments. */
    public static void main(String[] arguments) {
        Options options = Options.parse(arguments);
        KafkaStreams streams = new KafkaStreams(topology(options), settings(options));
        // A run that cannot go on ends at once, so that nobody measures one that limps.
        streams.setUncaughtExceptionHandler(failure -> {
            failure.printStackTrace();
            Runtime.getRuntime().halt(1);
            return StreamThreadExceptionResponse.SHUTDOWN_APPLICATION;
        });
        Runtime.getRuntime().addShutdownHook(new Thread(streams::close));
        streams.start();
    }

    private static Topology topology(Options options) {
        KeyValueBytesStoreSupplier place = options.rocksdb()
                ? Stores.persistentKeyValueStore(CUSTOMERS)
                : Stores.inMemoryKeyValueStore(CUSTOMERS);
        StoreBuilder<KeyValueStore<Bytes, Customer>> store = Stores
                .keyValueStoreBuilder(place, Serdes.Bytes(), customers())
                .withLoggingEnabled(Map.of())
                .withCachingEnabled();
        StreamsBuilder builder = new StreamsBuilder();
        builder.addStateStore(store);
        builder.stream(options.source(), Consumed.with(Serdes.ByteArray(), Serdes.ByteArray()))
                .process(() -> new NormalizeProcessor(options))
                .repartition(Repartitioned.with(Serdes.ByteArray(), touchpoints())
                        .withName("inbox")
                        .withNumberOfPartitions(options.partitions()))
                .process(() -> new ScoreProcessor(options), CUSTOMERS)
                .to(options.scores(), Produced.with(Serdes.ByteArray(), Serdes.ByteArray()));
        return builder.build();
    }

    private static Serde<Customer> customers() {
        return Serdes.serdeFrom(
                (topic, customer) -> customer == null ? null : CustomerCodec.encode(customer),
                (topic, bytes) -> bytes == null ? null : CustomerCodec.decode(bytes));
    }

    private static Serde<Touchpoint> touchpoints() {
        return Serdes.serdeFrom(
                (topic, touchpoint) -> touchpoint == null ? null : touchpoint.encode(),
                (topic, bytes) -> bytes == null ? null : Touchpoint.decode(bytes));
    }

    private static Properties settings(Options options) {
        Properties settings = new Properties();
        settings.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, options.brokers());
        settings.put(StreamsConfig.APPLICATION_ID_CONFIG, options.application());
        settings.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, StreamsConfig.EXACTLY_ONCE_V2);
        settings.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, options.commitMillis());
        settings.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, options.threads());
        settings.put(StreamsConfig.STATESTORE_CACHE_MAX_BYTES_CONFIG, options.cacheBytes());
        settings.put(StreamsConfig.STATE_DIR_CONFIG, options.folder());
        settings.put(StreamsConfig.REPLICATION_FACTOR_CONFIG, 1);
        // Every task reads one partition: there is no other one to wait for.
        settings.put(StreamsConfig.MAX_TASK_IDLE_MS_CONFIG, StreamsConfig.MAX_TASK_IDLE_MS_DISABLED);
        settings.put(StreamsConfig.producerPrefix(ProducerConfig.COMPRESSION_TYPE_CONFIG), "lz4");
        settings.put(StreamsConfig.producerPrefix(ProducerConfig.BATCH_SIZE_CONFIG), 128 * 1_024);
        settings.put(StreamsConfig.consumerPrefix(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG), "earliest");
        settings.putAll(options.set());
        return settings;
    }
}
