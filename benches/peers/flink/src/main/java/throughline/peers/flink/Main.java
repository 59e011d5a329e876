package throughline.peers.flink;

import java.nio.ByteBuffer;
import java.util.Properties;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.typeinfo.PrimitiveArrayTypeInfo;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.api.java.tuple.Tuple2;
import org.apache.flink.configuration.CheckpointingOptions;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.MemorySize;
import org.apache.flink.configuration.PipelineOptions;
import org.apache.flink.configuration.RestartStrategyOptions;
import org.apache.flink.configuration.StateBackendOptions;
import org.apache.flink.configuration.TaskManagerOptions;
import org.apache.flink.connector.base.DeliveryGuarantee;
import org.apache.flink.connector.kafka.sink.KafkaSink;
import org.apache.flink.connector.kafka.sink.TransactionNamingStrategy;
import org.apache.flink.connector.kafka.source.KafkaSource;
import org.apache.flink.connector.kafka.source.enumerator.initializer.OffsetsInitializer;
import org.apache.flink.core.execution.CheckpointingMode;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import throughline.peers.job.Touchpoint;

/** The score job on Flink, in one process: source, keyed state, sink with transactions. Runs until it is stopped. */
public final class Main {
    private Main() {}

    /** Runs the job; see {@link Options} for the arguments. */
    public static void main(String[] arguments) throws Exception {
        Options options = Options.parse(arguments);
        StreamExecutionEnvironment job =
                StreamExecutionEnvironment.createLocalEnvironment(options.threads(), settings(options));
        job.enableCheckpointing(options.commitMillis(), CheckpointingMode.EXACTLY_ONCE);
        job.fromSource(source(options), WatermarkStrategy.noWatermarks(), "calls", new TouchpointType())
                .keyBy(Main::key, Types.TUPLE(Types.LONG, Types.LONG))
                .process(
                        new ScoreFunction(options),
                        Types.TUPLE(
                                PrimitiveArrayTypeInfo.BYTE_PRIMITIVE_ARRAY_TYPE_INFO,
                                PrimitiveArrayTypeInfo.BYTE_PRIMITIVE_ARRAY_TYPE_INFO))
                .sinkTo(sink(options));
        job.execute("score job");
    }

    /** The 128 bits of the hash; its first byte, the rank, follows from them. */
    private static Tuple2<Long, Long> key(Touchpoint touchpoint) {
        ByteBuffer id = ByteBuffer.wrap(touchpoint.customer());
        return Tuple2.of(id.getLong(1), id.getLong(9));
    }

    private static KafkaSource<Touchpoint> source(Options options) {
        return KafkaSource.<Touchpoint>builder()
                .setBootstrapServers(options.brokers())
                .setGroupId(options.application())
                .setTopics(options.source())
                .setStartingOffsets(OffsetsInitializer.earliest())
                .setDeserializer(new TouchpointDeserializer(options))
                .build();
    }

    private static KafkaSink<Tuple2<byte[], byte[]>> sink(Options options) {
        Properties producer = new Properties();
        producer.put("compression.type", "lz4");
        producer.put("batch.size", "131072");
        producer.put("linger.ms", "100");
        // Longer than a snapshot may take, shorter than brokers allow.
        producer.put("transaction.timeout.ms", "600000");
        return KafkaSink.<Tuple2<byte[], byte[]>>builder()
                .setBootstrapServers(options.brokers())
                .setDeliveryGuarantee(DeliveryGuarantee.EXACTLY_ONCE)
                .setTransactionalIdPrefix(options.application())
                .setTransactionNamingStrategy(TransactionNamingStrategy.POOLING)
                .setKafkaProducerConfig(producer)
                .setRecordSerializer(new ScoreSerializer(options.scores()))
                .build();
    }

    private static Configuration settings(Options options) {
        Configuration settings = new Configuration();
        settings.set(PipelineOptions.OBJECT_REUSE, true);
        settings.set(StateBackendOptions.STATE_BACKEND, options.rocksdb() ? "rocksdb" : "hashmap");
        settings.set(CheckpointingOptions.INCREMENTAL_CHECKPOINTS, true);
        settings.set(CheckpointingOptions.CHECKPOINT_STORAGE, "filesystem");
        settings.set(CheckpointingOptions.CHECKPOINTS_DIRECTORY, "file://" + options.folder() + "/checkpoints");
        settings.set(TaskManagerOptions.MANAGED_MEMORY_SIZE, MemorySize.ofMebiBytes(512));
        // A run that cannot go on ends at once, so that nobody measures one that limps.
        settings.set(RestartStrategyOptions.RESTART_STRATEGY, "none");
        settings.addAll(Configuration.fromMap(options.set()));
        return settings;
    }
}
