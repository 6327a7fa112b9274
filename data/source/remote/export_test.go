// SPDX-License-Identifier: Apache-2.0

package remote

import "flyball/bucket"

// BucketOf opens a bucket for tests that fill one.
var BucketOf = bucket.S3
