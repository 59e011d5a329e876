package throughline.peers.flink;

import java.io.IOException;
import org.apache.flink.api.common.serialization.DeserializationSchema;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.connector.kafka.source.reader.deserializer.KafkaRecordDeserializationSchema;
import org.apache.flink.util.Collector;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import throughline.peers.job.SegmentNormalizer;
import throughline.peers.job.Touchpoint;

/** The first half of the job: calls in, touchpoints out. */
final class TouchpointDeserializer implements KafkaRecordDeserializationSchema<Touchpoint> {
    private final Options options;
    private transient SegmentNormalizer normalizer;

    TouchpointDeserializer(Options options) {
        this.options = options;
    }

    @Override
    public void open(DeserializationSchema.InitializationContext context) {
        normalizer = new SegmentNormalizer(options.key(), options.tenant());
    }

    @Override
    public void deserialize(ConsumerRecord<byte[], byte[]> record, Collector<Touchpoint> out) throws IOException {
        normalizer.normalize(record.value(), record.timestamp(), out::collect);
    }

    @Override
    public TypeInformation<Touchpoint> getProducedType() {
        return new TouchpointType();
    }
}
