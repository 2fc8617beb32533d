package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

var telling sync.Mutex

func tell(what string, value any) {
	telling.Lock()
	defer telling.Unlock()
	line, _ := json.Marshal(map[string]any{"at": float64(time.Now().UnixMicro()) / 1000, what: value})
	fmt.Println(string(line))
}

func tellPartitions(what string) func(context.Context, *kgo.Client, map[string][]int32) {
	return func(_ context.Context, _ *kgo.Client, topics map[string][]int32) {
		for _, partitions := range topics {
			tell(what, partitions)
		}
	}
}

// member joins a group and tells what it is assigned and what it reads: arguments and lines as of group_member.py.
func member(bootstrap, group, topic, protocol string) {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	options := []kgo.Opt{
		kgo.SeedBrokers(bootstrap),
		kgo.ClientID("member"),
		kgo.ConsumerGroup(group),
		kgo.ConsumeTopics(topic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.DisableAutoCommit(),
		kgo.MetadataMaxAge(time.Second),
		kgo.MetadataMinAge(100 * time.Millisecond),
		kgo.OnPartitionsAssigned(tellPartitions("assigned")),
		kgo.OnPartitionsRevoked(tellPartitions("revoked")),
		kgo.OnPartitionsLost(tellPartitions("revoked")),
		// What was polled is told and committed before any of it is given to another member.
		kgo.BlockRebalanceOnPoll(),
	}
	if topic[0] == '^' {
		options = append(options, kgo.ConsumeRegex())
	}
	if protocol == "consumer" {
		options = append(options, kgo.ServerSideBalancer(), kgo.Balancers(kgo.StickyBalancer()))
	} else {
		options = append(options, kgo.Balancers(kgo.CooperativeStickyBalancer()), kgo.SessionTimeout(6*time.Second), kgo.HeartbeatInterval(500*time.Millisecond))
	}
	client, err := kgo.NewClient(options...)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	for ctx.Err() == nil {
		fetches := client.PollRecords(ctx, 200)
		read := [][]int64{}
		fetches.EachRecord(func(record *kgo.Record) {
			read = append(read, []int64{int64(record.Partition), record.Offset})
		})
		if len(read) > 0 {
			tell("read", read)
			if err := client.CommitUncommittedOffsets(context.Background()); err != nil {
				tell("failed", err.Error())
			}
		}
		client.AllowRebalance()
	}
	client.CloseAllowingRebalance()
	tell("closed", true)
}
