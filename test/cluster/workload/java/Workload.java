import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;

/**
 * The workload's producer and group member with Apache Kafka's own clients: arguments, settings and lines as of
 * python/workload.py.
 */
public final class Workload {
  private static final long BURST_MS = 20;
  private static JsonNode given;
  private static volatile boolean ending = false;

  /** On Linux the machine's monotonic clock, as all other processes read it. */
  private static long now() {
    return System.nanoTime() / 1000;
  }

  private static synchronized void tell(String type, String more) {
    System.out.println("{\"type\":\"" + type + "\",\"at\":" + now() + ",\"process\":\"" + text("process") + "\"," + more + "}");
    System.out.flush();
  }

  private static void note(String note, String error) {
    tell("note", "\"note\":\"" + note + "\",\"error\":\"" + error + "\"");
  }

  private static String text(String name) {
    return given.get(name).asText();
  }

  private static String record(int partition, Long offset, long value) {
    return "[" + partition + "," + offset + "," + value + "]";
  }

  private static void endWithInput() {
    Thread watcher = new Thread(() -> {
      try {
        while (System.in.read() >= 0) continue;
      } catch (IOException error) {
        // As good as its end.
      }
      ending = true;
    });
    watcher.setDaemon(true);
    watcher.start();
  }

  private static Properties common() {
    Properties properties = new Properties();
    properties.put("bootstrap.servers", text("bootstrap"));
    properties.put("client.id", text("process"));
    properties.put("metadata.max.age.ms", "2000");
    properties.put("reconnect.backoff.ms", "20");
    properties.put("reconnect.backoff.max.ms", "200");
    properties.put("retry.backoff.ms", "50");
    properties.put("retry.backoff.max.ms", "100");
    properties.put("request.timeout.ms", "5000");
    properties.put("socket.connection.setup.timeout.ms", "1000");
    for (String what : List.of("key.serializer", "value.serializer")) {
      properties.put(what, "org.apache.kafka.common.serialization.StringSerializer");
    }
    for (String what : List.of("key.deserializer", "value.deserializer")) {
      properties.put(what, "org.apache.kafka.common.serialization.StringDeserializer");
    }
    return properties;
  }

  private static void produce() throws Exception {
    Properties properties = common();
    properties.put("acks", "all");
    properties.put("enable.idempotence", "true");
    properties.put("linger.ms", "2");
    properties.put("delivery.timeout.ms", "300000");
    KafkaProducer<String, String> producer = new KafkaProducer<>(properties);
    int partitions = given.get("partitions").asInt();
    double rate = given.get("rate").asDouble();
    long first = given.get("first").asLong();
    long value = first;
    double owed = 0;
    while (!ending) {
      List<String> sends = new ArrayList<>();
      long from = value;
      for (owed += rate * BURST_MS / 1000; owed >= 1; owed--) {
        sends.add(record((int) (value % partitions), null, value));
        value++;
      }
      if (!sends.isEmpty()) tell("invoke", "\"sends\":[" + String.join(",", sends) + "]");
      for (long number = from; number < value; number++) send(producer, (int) (number % partitions), number);
      Thread.sleep(BURST_MS);
    }
    producer.close(Duration.ofSeconds(90));
    tell("note", "\"note\":\"producer ended\",\"sent\":" + (value - first));
  }

  private static void send(KafkaProducer<String, String> producer, int partition, long number) {
    producer.send(new ProducerRecord<>(text("topic"), partition, null, number + " java"), (metadata, error) -> {
      if (error == null) {
        tell("ok", "\"sends\":[" + record(partition, metadata.offset(), number) + "]");
      } else {
        tell("info", "\"sends\":[" + record(partition, null, number) + "]");
        note("send failed", error.getClass().getSimpleName());
      }
    });
  }

  private static void member() {
    Properties properties = common();
    properties.put("group.id", text("group"));
    properties.put("auto.offset.reset", "earliest");
    properties.put("enable.auto.commit", "false");
    properties.put("isolation.level", "read_committed");
    properties.put("fetch.max.wait.ms", "100");
    if (given.path("protocol").asText("classic").equals("consumer")) {
      properties.put("group.protocol", "consumer");
    } else {
      properties.put("session.timeout.ms", "6000");
      properties.put("heartbeat.interval.ms", "500");
      properties.put("partition.assignment.strategy", "org.apache.kafka.clients.consumer.CooperativeStickyAssignor");
    }
    KafkaConsumer<String, String> consumer = new KafkaConsumer<>(properties);
    consumer.subscribe(List.of(text("topic")), new ConsumerRebalanceListener() {
      @Override
      public void onPartitionsAssigned(Collection<TopicPartition> partitions) {
        String numbers = partitions.stream().map(one -> String.valueOf(one.partition())).collect(Collectors.joining(","));
        int generation = consumer.groupMetadata().generationId();
        tell("assign", "\"partitions\":[" + numbers + "],\"group\":\"" + text("group") + "\",\"generation\":" + generation);
      }

      @Override
      public void onPartitionsRevoked(Collection<TopicPartition> partitions) {}
    });
    while (!ending) {
      ConsumerRecords<String, String> polled = consumer.poll(Duration.ofMillis(100));
      if (polled.isEmpty()) continue;
      List<String> polls = new ArrayList<>();
      Map<TopicPartition, OffsetAndMetadata> next = new HashMap<>();
      for (ConsumerRecord<String, String> one : polled) {
        polls.add(record(one.partition(), one.offset(), Long.parseLong(one.value().split(" ", 2)[0])));
        next.put(new TopicPartition(one.topic(), one.partition()), new OffsetAndMetadata(one.offset() + 1));
      }
      tell("ok", "\"polls\":[" + String.join(",", polls) + "]");
      try {
        consumer.commitSync(next);
      } catch (RuntimeException error) {
        // Fenced or cut off meanwhile: somebody reads these again.
        note("commit failed", error.getClass().getSimpleName());
      }
    }
    consumer.close(Duration.ofSeconds(10));
    tell("note", "\"note\":\"member ended\"");
  }

  public static void main(String[] args) throws Exception {
    given = new ObjectMapper().readTree(args[1]);
    endWithInput();
    if (args[0].equals("produce")) produce();
    else member();
    // A client that does not find its brokers any more must not keep the process.
    TimeUnit.MILLISECONDS.sleep(10);
    System.exit(0);
  }
}
